// The tests of one package in Stryker's copy of it: there is no build in there, so what the package imports from its own
// `imports` has to come from its source.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

const own = (/** @type {string} */ name) => resolve(`src/node/${name}.ts`)

export default defineConfig({
  resolve: {
    alias: existsSync(own('engine')) ? { '#engine': own('engine'), '#fetch-document': own('fetch-document') } : {},
  },
  test: {
    include: ['test/**/*.test.ts'],
    // These ask about what was built, or about types.
    exclude: ['test/neutral.test.ts', 'test/types.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
