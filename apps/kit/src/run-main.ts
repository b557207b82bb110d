import { ConfigError } from './environment.ts'

/**
 * A service's `main`: starts it, ends it on SIGTERM or SIGINT (a second signal ends the process at once), exit code 2 for a
 * wrong configuration and 1 for what could not start.
 */
export async function runService(start: () => Promise<{ close(): Promise<void> }>): Promise<void> {
  const told = Promise.withResolvers<void>()
  // Listened for before the start, so that a signal in the midst of it finds somebody.
  const stop = (): void => {
    process.off('SIGTERM', stop).off('SIGINT', stop)
    told.resolve()
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  try {
    const running = await start()
    await told.promise
    await running.close()
  } catch (error) {
    sayWhy(error)
  } finally {
    stop()
  }
}

/** Tells a person what went wrong, without a stack trace, and sets the exit code. */
export function sayWhy(error: unknown): void {
  if (error instanceof ConfigError) {
    for (const line of error.lines) console.error(line)
    process.exitCode = 2
    return
  }
  console.error(error instanceof Error ? error.message : error)
  const remedy: unknown = error instanceof Error && 'remedy' in error ? error.remedy : undefined
  if (typeof remedy === 'string') console.error(`  ${remedy}`)
  process.exitCode = 1
}
