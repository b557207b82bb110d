#!/usr/bin/env node
import {
  consumerEnvironment,
  environmentParts,
  readEnvironment,
  runService,
  toStartOptions,
} from '@countersign-apps/kit'
import { startBilling } from './start-billing.ts'
import { webhookSecret } from './webhook-secret.ts'

const { text, url } = environmentParts

await runService(async () => {
  const read = readEnvironment(
    {
      ...consumerEnvironment,
      BILLING_DB: text.default('billing.db'),
      CLIENT_ID: text,
      CLIENT_SECRET: text,
      PROVIDER_URL: url.default('http://127.0.0.1:4622'),
      PROVIDER_KEY: text,
      WEBHOOK_SECRET: webhookSecret,
      WEBHOOK_SECRET_NEXT: webhookSecret.optional(),
    },
    process.env,
  )
  const { WEBHOOK_SECRET, WEBHOOK_SECRET_NEXT } = read
  return startBilling({
    ...toStartOptions(read),
    database: read.BILLING_DB,
    client: { id: read.CLIENT_ID, secret: read.CLIENT_SECRET },
    provider: { url: read.PROVIDER_URL, key: read.PROVIDER_KEY },
    webhookSecrets: [WEBHOOK_SECRET, ...(WEBHOOK_SECRET_NEXT === undefined ? [] : [WEBHOOK_SECRET_NEXT])],
  })
})
