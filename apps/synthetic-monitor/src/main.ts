#!/usr/bin/env node
import { parseArgs } from 'node:util'
import {
  ConfigError,
  consumerEnvironment,
  environmentParts,
  readEnvironment,
  runService,
  sayWhy,
  toStartOptions,
} from '@countersign-apps/kit'
import { z } from 'zod'
import { runOnce } from './run-once.ts'
import { startMonitor } from './start-monitor.ts'

const usage = `Walks through the running fleet, from a sign-in to the refusal of what was revoked.

  synthetic-monitor                 probes on a schedule and on demand, with metrics
  synthetic-monitor --once          one probe; exit code 0 only if it succeeded
  synthetic-monitor --once --json   the same; prints one JSON object
`

const { url, text } = environmentParts

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, `expected ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `expected ${least} to ${most}`)

const urls = text.transform((list) => list.split(',')).pipe(z.array(url).min(1).max(16))

const environment = {
  ...consumerEnvironment,
  AGENT_API: urls.default(['http://127.0.0.1:4610']),
  PROBE_USER: text,
  PROBE_PASSWORD: text,
  PROBE_APP: text,
  CLIENT_ID: text.default('synthetic-monitor'),
  CLIENT_SECRET: text,
  PROBE_INTERVAL_SECONDS: whole(5, 86_400).default(60),
  PROBE_TIMEOUT_MS: whole(100, 60_000).default(5_000),
  REVOCATION_BOUND_MS: whole(100, 60_000).default(5_000),
}

function readOptions() {
  const read = readEnvironment(environment, process.env)
  return {
    ...toStartOptions(read),
    agentApis: read.AGENT_API,
    accounts: {
      person: { identifier: read.PROBE_USER, secret: read.PROBE_PASSWORD },
      app: read.PROBE_APP,
      client: { id: read.CLIENT_ID, secret: read.CLIENT_SECRET },
    },
    intervalSeconds: read.PROBE_INTERVAL_SECONDS,
    timeoutMs: read.PROBE_TIMEOUT_MS,
    revocationMs: read.REVOCATION_BOUND_MS,
  }
}

function readArguments(): { readonly once: boolean; readonly json: boolean; readonly help: boolean } {
  const boolean = { type: 'boolean', default: false } as const
  try {
    const { values } = parseArgs({ options: { once: boolean, json: boolean, help: { ...boolean, short: 'h' } } })
    if (values.json && !values.once) throw new TypeError('--json goes with --once.')
    return values
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error), '', usage.trimEnd()])
  }
}

async function once(json: boolean): Promise<void> {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGTERM', end).once('SIGINT', end)
  try {
    const succeeded = await runOnce({ ...readOptions(), json, signal: stop.signal, write: console.log })
    if (!succeeded) process.exitCode = 1
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end)
  }
}

try {
  const { once: isOnce, json, help } = readArguments()
  if (help) console.log(usage.trimEnd())
  else if (isOnce) await once(json)
  else await runService(async () => startMonitor(readOptions()))
} catch (error) {
  sayWhy(error)
}
