import { describe, it } from 'vitest'
import { describeConvex } from './live/convex-suite.ts'
import { readKeys } from './live/keys.ts'

/**
 * The same against a real deployment of Convex, with the functions of `test/live/convex` in it. Run by `pnpm run live`;
 * how to make one ready is in the README.
 */
const { CONVEX_LIVE_URL: url, CONVEX_LIVE_KEYS: keyFile } = process.env

if (url === undefined || keyFile === undefined) {
  console.warn('SKIPPED: Convex. Give CONVEX_LIVE_URL and CONVEX_LIVE_KEYS to run against a real deployment.')
  describe.skip('a real deployment of Convex', () => it('was not met', () => {}))
} else {
  const { CONVEX_LIVE_SITE_URL: siteUrl = url.replace(/\.cloud$/, '.site') } = process.env
  describeConvex('a real deployment', () => ({ url, siteUrl, keys: readKeys(keyFile) }))
}
