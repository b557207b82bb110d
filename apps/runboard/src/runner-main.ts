#!/usr/bin/env node
import { sayWhy } from '@countersign-apps/kit'
import { CommanderError } from 'commander'
import { runnerProgram } from './runner/program.ts'

const stop = new AbortController()
// A second one ends the process at once.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())

const program = runnerProgram({
  environment: process.env,
  signal: stop.signal,
  say: (line) => console.log(line),
})
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (!stop.signal.aborted) sayWhy(error)
}
