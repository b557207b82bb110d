#!/usr/bin/env node
import { environmentParts, readEnvironment, runService } from '@countersign-apps/kit'
import { startPaymentProvider } from './payment-provider.ts'
import { webhookSecret } from './webhook-secret.ts'

const { port, text, url } = environmentParts

await runService(async () => {
  const read = readEnvironment(
    {
      PORT: port.default(4622),
      PROVIDER_KEY: text,
      WEBHOOK_URL: url.default('http://127.0.0.1:4612/webhooks/payments'),
      WEBHOOK_SECRET: webhookSecret,
    },
    process.env,
  )
  const provider = await startPaymentProvider({
    port: read.PORT,
    key: read.PROVIDER_KEY,
    webhook: read.WEBHOOK_URL,
    secret: read.WEBHOOK_SECRET,
  })
  console.log(`listens on ${provider.url}`)
  return provider
})
