#!/usr/bin/env node
import { ConfigError, readConfig } from './config.ts'
import { startAgentApi } from './start-agent-api.ts'

try {
  const running = await startAgentApi(readConfig(process.env))
  const stop = async (): Promise<void> => {
    // A second signal finds no listener, so it ends the process at once.
    process.off('SIGTERM', stop).off('SIGINT', stop)
    await running.close()
  }
  process.once('SIGTERM', stop).once('SIGINT', stop)
} catch (error) {
  if (error instanceof ConfigError) {
    for (const line of error.lines) console.error(line)
    process.exitCode = 2
  } else {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
