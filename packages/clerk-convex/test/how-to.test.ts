import { readFileSync } from 'node:fs'
import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import express from 'express'
import { expect, it } from 'vitest'
import * as server from '../src/server/index.ts'
import { atEnd, clerkWorld, origin } from './clerk-world.ts'

const page = readFileSync(new URL('../../../docs/how-to/accept-clerk-sessions.md', import.meta.url), 'utf8')
const code = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block).join('\n')

it("accepts Clerk's sessions as the how-to says, until its webhooks end them", async () => {
  const { clerk, sessionId, userId, organizationId } = await clerkWorld()
  const process = {
    env: {
      CLERK_PUBLISHABLE_KEY: clerk.publishableKey,
      CLERK_SECRET_KEY: clerk.secretKey,
      CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret,
    },
  }
  const names = { ...server, expressAuth, createGuard, express, process }
  const changed = code
    .replaceAll(/^import .*$/gm, '')
    .replace("'https://clerk.example.com'", JSON.stringify(clerk.issuer))
    .replace("'prod'", "'dev'")
    .replace('app.listen(4610', 'const listening = app.listen(0')
  const run = new Function(...Object.keys(names), `${changed}\nreturn { listening, verifier }`)
  const { listening, verifier } = run(...Object.values(names))
  atEnd(() => listening.close())
  atEnd(() => verifier.close())
  await new Promise((resolve) => listening.once('listening', resolve))
  const api = `http://127.0.0.1:${listening.address().port}`
  clerk.subscribe(`${api}/clerk/webhooks`)
  const headers = { authorization: `Bearer ${clerk.token(sessionId, { origin })}` }
  const answer = await fetch(`${api}/runs`, { headers })
  expect([answer.status, await answer.json()]).toEqual([200, { subject: userId, organization: organizationId }])

  clerk.world.endSession(sessionId, 'revoked')
  await clerk.delivered()
  expect((await fetch(`${api}/runs`, { headers })).status).toBe(401)
  expect((await fetch(`${api}/clerk/webhooks`, { method: 'POST', body: '{}' })).status).toBe(400)
})
