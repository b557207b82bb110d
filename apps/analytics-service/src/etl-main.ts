#!/usr/bin/env node
import { createTokenSource } from '@countersign/token-source'
import { environmentParts, readEnvironment, sayWhy } from '@countersign-apps/kit'
import { z } from 'zod'
import { runEtl } from './etl.ts'
import { showProgress } from './progress.ts'
import { openReportStore } from './report-store.ts'

const { url, text } = environmentParts

try {
  const read = readEnvironment(
    {
      COUNTERSIGN_ISSUER: url.default('http://127.0.0.1:4600'),
      AGENT_API: url.default('http://127.0.0.1:4610'),
      ANALYTICS_DB: text.default('analytics.db'),
      CLIENT_ID: text,
      CLIENT_SECRET: text,
      PAGE_SIZE: z
        .string()
        .regex(/^\d{1,4}$/, 'expected 1 to 1000')
        .transform(Number)
        .refine((size) => size >= 1 && size <= 1000, 'expected 1 to 1000')
        .default(500),
    },
    process.env,
  )
  const store = openReportStore(read.ANALYTICS_DB)
  const source = createTokenSource({
    issuer: read.COUNTERSIGN_ISSUER,
    client: { id: read.CLIENT_ID, secret: read.CLIENT_SECRET },
    grant: { type: 'client_credentials', audience: 'agent-api', scope: 'usage:read' },
    patienceMs: 60_000,
  })
  try {
    const { rows, lost } = await runEtl({
      agentApi: read.AGENT_API,
      source,
      store,
      pageSize: read.PAGE_SIZE,
      onProgress: showProgress(process.stderr, () => performance.now()),
    })
    console.log(`${rows} rows loaded${lost === 0 ? '' : `; ${lost} were gone before they could be`}`)
  } finally {
    source.close()
    store.close()
  }
} catch (error) {
  sayWhy(error)
}
