#!/usr/bin/env node
import { isServerError } from '@countersign/server'
import { startFleetTokenService } from './start.ts'

const told = Promise.withResolvers<void>()
// Listened for before the start, so that a signal in the midst of it finds somebody. A second one ends the process at once.
const stop = (): void => {
  process.off('SIGTERM', stop).off('SIGINT', stop)
  told.resolve()
}
process.on('SIGTERM', stop).on('SIGINT', stop)

try {
  const service = await startFleetTokenService({ env: process.env })
  // Its disk failed: whatever supervises the process starts it anew.
  const failure = await Promise.race([told.promise, service.failed])
  await service.close()
  if (failure !== undefined) throw failure
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  if (isServerError(error)) console.error(`  ${error.remedy}`)
  process.exitCode = 1
} finally {
  stop()
}
