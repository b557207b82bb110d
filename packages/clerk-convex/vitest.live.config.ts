import { defineConfig } from 'vitest/config'

/** What needs keys of somebody's own instance or deployment; everything else runs with the other tests. */
export default defineConfig({
  test: { include: ['test/**/*.live.ts'], globalSetup: 'test/live/require-keys.ts', testTimeout: 120_000 },
})
