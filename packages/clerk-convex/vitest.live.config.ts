import { defineConfig } from 'vitest/config'

/** What needs keys of somebody's own instance; everything else runs with the other tests. */
export default defineConfig({ test: { include: ['test/**/*.live.ts'] } })
