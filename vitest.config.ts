import { existsSync, readdirSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const folders = ['packages', 'apps', 'tooling'].flatMap((room) =>
  readdirSync(room)
    .map((name) => `${room}/${name}`)
    .filter((folder) => existsSync(`${folder}/test`)),
)

export default defineConfig({
  test: {
    projects: folders.map((root) => ({
      root,
      test: { name: root, include: ['test/**/*.test.ts'], testTimeout: 20_000, hookTimeout: 60_000 },
    })),
  },
})
