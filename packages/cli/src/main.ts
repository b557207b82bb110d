#!/usr/bin/env node
import { processIo } from './io.ts'
import { runCountersign } from './program.ts'

// A reader that went away (`countersign keys list | head -1`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

// Not process.exit(): what was written to a pipe must arrive, and a handle left open is a fault to be seen.
process.exitCode = await runCountersign(process.argv.slice(2), processIo())
