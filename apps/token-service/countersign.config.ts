import { defineConfig } from '@countersign/server'
import { consumers } from './src/consumers.ts'

/** The fleet's token service. COUNTERSIGN_* in the environment override it: docs/reference/configuration.md. */
export default defineConfig({
  issuer: 'http://127.0.0.1:4600',
  dataDir: 'data',
  consumers,
})
