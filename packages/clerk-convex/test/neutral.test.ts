import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { describe, expect, it } from 'vitest'

/** Bundled as Convex bundles: for a browser, with nothing left outside. */
async function bundled(entry: string): Promise<{ code: string; builtins: readonly string[] }> {
  const builtins: string[] = []
  const isBuiltin = (id: string) => id.startsWith('node:') || builtinModules.includes(id)
  const bundle = await rolldown({
    input: fileURLToPath(new URL(`../src/${entry}`, import.meta.url)),
    platform: 'browser',
    onLog() {},
    plugins: [
      {
        name: 'builtins',
        resolveId(source) {
          if (!isBuiltin(source)) return null
          builtins.push(source)
          return { id: source, external: true }
        },
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  return { code: output[0].code, builtins }
}

describe('without Node', () => {
  it.each([
    ['.', 'index.ts', 8],
    ['./auth-config', 'auth-config/index.ts', 8],
    ['./client', 'client/index.ts', 20],
    ['./environment', 'environment/index.ts', 8],
  ])('%s has no import at all and stays small', async (_entry, file, mostKiB) => {
    const { code, builtins } = await bundled(file)
    expect(builtins).toEqual([])
    expect(code).not.toMatch(/\bimport\b|\brequire\(|\bprocess\b|\bBuffer\b/)
    expect(code.length).toBeLessThan(mostKiB * 1024)
  })

  it('./react runs in a browser, on React and on Convex alone', async () => {
    expect((await bundled('react/index.ts')).builtins).toEqual([])
  })

  it('./server runs on Web standards, with Clerk’s SDK in it', async () => {
    expect((await bundled('server/index.ts')).builtins).toEqual([])
  })

  it('./runner runs in the isolate: web standards alone', async () => {
    const { code, builtins } = await bundled('runner/index.ts')
    expect(builtins).toEqual([])
    expect(code).not.toMatch(/\brequire\(|\bBuffer\b/)
  })

  it('./convex runs in the isolate, with the check of webhooks in it', async () => {
    const { code, builtins } = await bundled('convex/index.ts')
    expect(builtins).toEqual([])
    expect(code.length).toBeLessThan(288 * 1024)
  })

  it('would notice Node', async () => {
    expect((await bundled('testing/index.ts')).builtins).toContain('node:crypto')
  })
})
