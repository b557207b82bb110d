import { existsSync, readdirSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vitest/config'

const folders = ['packages', 'apps', 'tooling'].flatMap((room) =>
  readdirSync(room)
    .map((name) => `${room}/${name}`)
    .filter((folder) => existsSync(`${folder}/test`)),
)

/**
 * Whoever waits for something real (a child process, a server, a browser) waits for it this long on a machine that has
 * other work. It costs nothing where the thing comes, and a test that hangs still ends, with what it waited for.
 */
const patient = { testTimeout: 120_000, hookTimeout: 180_000, expect: { poll: { timeout: 60_000 } } }

/**
 * What chance tries is the same in every run, so that a change is judged by what it changes: a counter-example that
 * nobody had met would be refused with whatever came along that day. Chance is for who looks for one:
 * `PROPERTY_SEED=random vitest run …`, or the seed of a failure that was printed.
 */
// biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo builds, and runs no tests
const seed = process.env.PROPERTY_SEED ?? '20251122'
const seeding = seed === 'random' ? '' : `fc.configureGlobal({ seed: ${Number(seed)} }); `
const real = '\0with-seed:'
const seededProperties: Plugin = {
  name: 'seeded-properties',
  enforce: 'pre',
  async resolveId(source, importer, options) {
    if (source !== 'fast-check') return null
    const resolved = await this.resolve(source, importer, { ...options, skipSelf: true })
    return resolved && `${real}${resolved.id}`
  },
  load(id) {
    if (!id.startsWith(real)) return null
    const path = JSON.stringify(id.slice(real.length))
    return `import fc from ${path}; ${seeding}export * from ${path}; export default fc`
  },
}

export default defineConfig({
  test: {
    projects: folders.map((root) => ({
      root,
      plugins: [seededProperties],
      test: { name: root, include: ['test/**/*.test.ts'], ...patient },
    })),
  },
})
