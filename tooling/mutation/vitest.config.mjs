// The tests of one package in Stryker's copy of it: there is no build in there, so what the package imports from its own
// `imports` has to come from its source.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

const own = (/** @type {string} */ name) => resolve(`src/node/${name}.ts`)

/** Slow ones last: a mutant that a quick test notices never gets there. */
const slow = ['engines', 'remote-jwks', 'jwks-promises', 'properties']

/** @param {string} path */
const wordsOf = (path) => path.replace(/^.*\/(src|test)\//, '').match(/[a-z0-9]{4,}/g) ?? []

/** First the tests that are named like the changed file, which mostly notice. */
class LikelyFirst extends BaseSequencer {
  /** @override @param {import('vitest/node').TestSpecification[]} files */
  async sort(files) {
    const changed = (this.ctx.config.related ?? []).flatMap(wordsOf)
    const rank = (/** @type {string} */ path) => {
      const words = wordsOf(path)
      if (words.some((word) => changed.some((other) => word.startsWith(other) || other.startsWith(word)))) return -1
      return slow.findIndex((name) => path.endsWith(`/${name}.test.ts`)) + 1
    }
    return files.toSorted(
      (left, right) => rank(left.moduleId) - rank(right.moduleId) || left.moduleId.localeCompare(right.moduleId),
    )
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
    sequence: { sequencer: LikelyFirst },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
