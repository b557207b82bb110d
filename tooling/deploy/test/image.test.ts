import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { environmentOf, instructionsOf, stagesOf, wordsOf } from '../dockerfile.mjs'
import { knownVariables } from './known-variables.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))
const text = read('tooling/deploy/Dockerfile')
const stages = stagesOf(text)
const last = stages.at(-1)
if (last === undefined) throw new Error('The Dockerfile has no stage.')

describe('the image', () => {
  it('is built with the versions of this repository, none of them moving', () => {
    for (const { image } of stages) expect(image).toBe(`node:${manifest.optionalDependencies.node}-bookworm-slim`)
    expect(text).toContain(`npm install --global ${manifest.packageManager}\n`)
  })

  it('takes only what there is', () => {
    const names = stages.map(({ name }) => name)
    for (const { instructions } of stages) {
      for (const { name, text: argument } of instructions) {
        if (name !== 'COPY') continue
        const from = /^--from=(\S+)/.exec(argument)?.[1]
        if (from !== undefined) expect(names).toContain(from)
        else expect(argument).toBe('. .')
      }
    }
    const filters = [...text.matchAll(/--filter "?(@?[\w/-]+)/g)].map(([, name]) => name)
    const packages = ['package.json', 'tooling/deploy/package.json', 'packages/cli/package.json']
    expect(packages.map((path) => JSON.parse(read(path)).name)).toEqual(expect.arrayContaining(filters))
  })

  it('runs the command line, as nobody who may do anything', () => {
    const { instructions } = last
    const order = instructions.map(({ name }) => name)
    expect(wordsOf(last, 'USER')).toEqual(['10001:10001'])
    expect(order.lastIndexOf('RUN')).toBeLessThan(order.indexOf('USER'))
    expect(instructions.filter(({ name }) => name === 'USER')).toHaveLength(1)
    const [node, main = ''] = wordsOf(last, 'ENTRYPOINT')
    expect([node, wordsOf(last, 'CMD')]).toEqual(['node', ['serve']])
    const cli = JSON.parse(read('packages/cli/package.json'))
    expect(main).toBe(join('/app/node_modules/@countersign/cli', cli.bin.countersign))
  })

  it('sets only what the configuration knows, and no secret', () => {
    const environment = Object.keys(environmentOf(last))
    expect(environment.filter((name) => name.startsWith('COUNTERSIGN_') && !knownVariables.has(name))).toEqual([])
    expect(text).not.toMatch(/^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN|KEK)/m)
    const ignored = read('tooling/deploy/Dockerfile.dockerignore').split('\n')
    for (const wanted of ['.git', '**/node_modules', '**/data', '**/*.backup', '**/*.pem', '**/.env*', '**/secrets']) {
      expect(ignored).toContain(wanted)
    }
  })

  it('says which ports there are', () => {
    expect(wordsOf(last, 'EXPOSE')).toEqual(['4600', '4601'])
  })
})

describe('reading a Dockerfile', () => {
  it('joins lines that go on, and refuses what is none', () => {
    expect(instructionsOf('# no\nENV A=1 \\\n    B=2\n\nUSER 1')).toEqual([
      { name: 'ENV', text: 'A=1 B=2', line: 2 },
      { name: 'USER', text: '1', line: 5 },
    ])
    expect(() => instructionsOf('whatever')).toThrow('line 1')
  })
})
