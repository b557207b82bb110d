// The tests of one package in Stryker's copy of it: there is no build in there, so what the package imports from its own
// `imports` has to come from its source.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

const own = (/** @type {string} */ name) => resolve(`src/node/${name}.ts`)

/** Slow ones last: a mutant that a quick test notices never gets there. */
const last = ['engines.test.ts', 'remote-jwks.test.ts', 'jwks-promises.test.ts', 'properties.test.ts']

class QuickFirst extends BaseSequencer {
  /** @override @param {import('vitest/node').TestSpecification[]} files */
  async sort(files) {
    const isLast = (/** @type {import('vitest/node').TestSpecification} */ { moduleId }) =>
      last.findIndex((name) => moduleId.endsWith(`/${name}`))
    return files.toSorted((left, right) => isLast(left) - isLast(right) || left.moduleId.localeCompare(right.moduleId))
  }
}

export default defineConfig({
  resolve: {
    alias: existsSync(own('engine')) ? { '#engine': own('engine'), '#fetch-document': own('fetch-document') } : {},
  },
  test: {
    include: ['test/**/*.test.ts'],
    // These ask about what was built, or about types, or run other people's servers, which cost more than all the rest.
    exclude: ['test/neutral.test.ts', 'test/types.test.ts', 'test/real-issuers.test.ts'],
    sequence: { sequencer: QuickFirst },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
