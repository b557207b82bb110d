import { describe, expect, it } from 'vitest'
import { faultsOf } from '../checks/native-binaries.mjs'

const platforms = ['darwin', 'linux', 'win32'].flatMap((os) => ['x64', 'arm64'].map((cpu) => [os, cpu] as const))

/** A lockfile of two documents, as pnpm writes it, with one family of native packages. */
function lockfile(present: readonly (readonly [string, string])[]): string {
  const name = (os: string, cpu: string) => `'@tool/${os}-${cpu}'`
  const packages = present.map(([os, cpu]) => `  '@tool/${os}-${cpu}@1.0.0':\n    cpu: [${cpu}]\n    os: [${os}]\n`)
  const optional = present.map(([os, cpu]) => `      ${name(os, cpu)}: 1.0.0\n`)
  return [
    "---\nlockfileVersion: '9.0'\n---\nlockfileVersion: '9.0'\npackages:\n",
    ...packages,
    "snapshots:\n  '@scope/tool@1.0.0':\n    optionalDependencies:\n",
    ...optional,
    "      fsevents: 2.0.0\n  'fsevents@2.0.0': {}\n",
  ].join('')
}

describe('native binaries in the lockfile', () => {
  it('are whole when all six platforms are there', () => {
    expect(faultsOf(lockfile(platforms), ['@scope/tool'])).toEqual([])
  })

  it.each(platforms)('are not whole without %s-%s', (os, cpu) => {
    const others = platforms.filter((platform) => platform.join() !== `${os},${cpu}`)
    expect(faultsOf(lockfile(others), ['@scope/tool'])).toEqual([
      `@scope/tool@1.0.0 has no binary in the lockfile for ${os}-${cpu}`,
    ])
  })

  it('are missed when a known family lost every one of them', () => {
    expect(faultsOf(lockfile(platforms), ['@scope/tool', 'turbo'])).toEqual([
      'turbo has no native package in the lockfile at all',
    ])
  })
})
