// The tests of one package in Stryker's copy of it: there is no build in there, so what the package imports from its own
// `imports` has to come from its source.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

const own = (/** @type {string} */ name) => resolve(`src/node/${name}.ts`)

/** Slow ones last: a mutant that a quick test notices never gets there. */
const slow = ['engines', 'remote-jwks', 'jwks-promises']
/** Tests of files that are not named like them. */
const others = {
  create: 'verified',
  edwards25519: 'engines',
  weierstrass: 'small',
  rejection: 'codes',
  error: 'codes',
  explain: 'codes',
  sodium: 'engines',
}

/** @param {string} path */
const wordsOf = (path) => path.replace(/^.*\/(src|test)\//, '').match(/[a-z0-9]{4,}/g) ?? []

class LikelyFirst extends BaseSequencer {
  /**
   * First the tests that are named like the changed file, which mostly notice. What a module computes when it is loaded
   * reaches every test; such a change is tried on the tests of its own only, or on all but the slow ones if it has none.
   *
   * @override @param {import('vitest/node').TestSpecification[]} files
   */
  async sort(files) {
    const { related = [] } = this.ctx.config
    const changed = related.flatMap(wordsOf).flatMap((word) => [word, Object(others)[word] ?? word])
    const rank = (/** @type {string} */ path) => {
      const own = wordsOf(path).some((word) =>
        changed.some((other) => word.startsWith(other) || other.startsWith(word)),
      )
      return own ? 0 : 1 + slow.findIndex((name) => path.endsWith(`/${name}.test.ts`)) + 1
    }
    const sorted = files.toSorted(
      (left, right) => rank(left.moduleId) - rank(right.moduleId) || left.moduleId.localeCompare(right.moduleId),
    )
    const { mode } = /** @type {{ mode?: string }} */ (this.ctx.getProvidedContext())
    const reachesAll = mode === 'mutant' && files.every(({ project }) => project.config.testNamePattern === undefined)
    if (!reachesAll) return sorted
    const likely = sorted.filter(({ moduleId }) => rank(moduleId) === 0)
    return likely.length > 0 ? likely : sorted.filter(({ moduleId }) => rank(moduleId) === 1)
  }
}

export default defineConfig({
  resolve: {
    alias: existsSync(own('engine')) ? { '#engine': own('engine'), '#fetch-document': own('fetch-document') } : {},
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      // About what was built, or about types.
      ...['test/neutral.test.ts', 'test/types.test.ts'],
      // Other people's servers, and chance: both cost more than all the rest, and chance would change the score.
      ...['test/real-issuers.test.ts', 'test/properties.test.ts'],
    ],
    sequence: { sequencer: LikelyFirst },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
