#!/usr/bin/env node
import { isServerError } from '@countersign/server'
import { startFleetTokenService } from './start.ts'

try {
  const service = await startFleetTokenService({ env: process.env })
  const stop = async (): Promise<void> => {
    // A second signal finds no listener, so it ends the process at once.
    process.off('SIGTERM', stop).off('SIGINT', stop)
    await service.close()
  }
  process.once('SIGTERM', stop).once('SIGINT', stop)
  // Its disk failed: whatever supervises the process starts it anew.
  void service.failed.then(async () => {
    process.exitCode = 1
    await stop()
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  if (isServerError(error)) console.error(`  ${error.remedy}`)
  process.exitCode = 1
}
