#!/usr/bin/env node
import { once } from 'node:events'
import { readArguments, type TourArguments, usage } from './arguments.ts'
import { startFleet } from './fleet.ts'
import { json, stepLine, summary } from './report.ts'
import { steps } from './steps/index.ts'
import { walk } from './walk.ts'

const exitCodes = { done: 0, surprised: 1, wrongUsage: 2 } as const

function parse(argv: readonly string[]): TourArguments | undefined {
  try {
    return readArguments(argv)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return undefined
  }
}

/** A closed terminal tells several times, by itself and through npm; a second Ctrl-C is from somebody in a hurry. */
function listenForStop(): AbortSignal {
  const stop = new AbortController()
  process.on('SIGTERM', () => stop.abort())
  process.on('SIGHUP', () => stop.abort())
  process.once('SIGINT', () => stop.abort())
  return stop.signal
}

async function tour(options: TourArguments): Promise<number> {
  const stop = listenForStop()
  const stopped = once(stop, 'abort').then(() => 'stopped' as const)
  // With --json stdout is for the object alone.
  const out = options.json ? process.stderr : process.stdout
  out.write('\n  Countersign: the tour. Everything runs on loopback; every line is a real request.\n\n')
  const fleet = await startFleet(options)
  try {
    const walked = walk(fleet, steps, (result) => out.write(`${stepLine(result)}\n`), stop)
    const results = stop.aborted ? 'stopped' : await Promise.race([walked, stopped])
    if (results === 'stopped') {
      await fleet.close()
      // The step under way would hold the process for seconds, asking a fleet that is gone.
      process.exit(exitCodes.surprised)
    }
    out.write(`${summary(fleet, results)}\n`)
    if (options.json) process.stdout.write(`${json(fleet, results)}\n`)
    if (!options.once) {
      out.write('  The fleet stays up. Ctrl-C ends it.\n')
      await stopped
    } else {
      out.write('  The fleet ends here; without --once it stays up.\n')
    }
    return results.every((result) => result.ok) ? exitCodes.done : exitCodes.surprised
  } finally {
    await fleet.close()
  }
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2))
  if (options === undefined) return exitCodes.wrongUsage
  if (options.help) {
    process.stdout.write(usage)
    return exitCodes.done
  }
  try {
    return await tour(options)
  } catch (error) {
    process.stderr.write(`The tour could not start: ${error instanceof Error ? error.message : String(error)}\n`)
    return exitCodes.surprised
  }
}

process.exitCode = await main()
