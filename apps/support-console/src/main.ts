#!/usr/bin/env node
import { loadConfig } from '@countersign/server'
import {
  consumerEnvironment,
  environmentParts,
  readEnvironment,
  runService,
  toStartOptions,
} from '@countersign-apps/kit'
import { z } from 'zod'
import { startConsole } from './start-console.ts'

const { text, url } = environmentParts
const hops = z
  .string()
  .regex(/^(?:\d|1[0-6])$/, 'expected 0 to 16 proxies')
  .transform(Number)

await runService(async () => {
  const read = readEnvironment(
    {
      ...consumerEnvironment,
      CLIENT_ID: text,
      CLIENT_SECRET: text,
      CONSOLE_APP: text.default('support-console-app'),
      COUNTERSIGN_CONFIG: text.optional(),
      AGENT_API_URL: url.optional(),
      TRUST_PROXY: hops.default(0),
    },
    process.env,
  )
  const { issuer: _, ...common } = toStartOptions(read)
  const { COUNTERSIGN_CONFIG: file, AGENT_API_URL: agentApi } = read
  const config = await loadConfig({ cwd: process.cwd(), env: process.env, ...(file === undefined ? {} : { file }) })
  return startConsole({
    ...common,
    config,
    client: { id: read.CLIENT_ID, secret: read.CLIENT_SECRET },
    app: read.CONSOLE_APP,
    proxyHops: read.TRUST_PROXY,
    ...(agentApi === undefined ? {} : { agentApi }),
  })
})
