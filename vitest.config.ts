import { existsSync, readdirSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  test: {
    projects: folders.map((root) => ({
      root,
      test: { name: root, include: ['test/**/*.test.ts'], ...patient },
    })),
  },
})
