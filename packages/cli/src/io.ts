import type { Readable, Writable } from 'node:stream'
import { type Clock, systemClock } from '@countersign/tokens'

/** Everything that a command touches of the world around it: an argument, so that tests run commands in process. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: Clock
  readonly fetch: typeof fetch
  /** Calls back at SIGINT and SIGTERM with the signal's name. The result stops listening. */
  onStop(call: (signal: string) => void): () => void
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

function onStop(call: (signal: string) => void): () => void {
  for (const signal of stopSignals) process.on(signal, call)
  return () => {
    for (const signal of stopSignals) process.off(signal, call)
  }
}

/** This process. */
export function processIo(): CliIo {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    fetch: globalThis.fetch,
    onStop,
  }
}
