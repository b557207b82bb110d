import { readFileSync } from 'node:fs'
import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import express from 'express'
import { expect, it } from 'vitest'
import * as authConfig from '../src/auth-config/index.ts'
import { clerkVerifier, clerkWebhooks, memoryWebhookLedger, webhookRevocations } from '../src/server/index.ts'
import { fakeClerk } from '../src/testing/index.ts'
import { atEnd, clerkWorld } from './clerk-world.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The example under a heading, runnable: what it imports comes as arguments. */
function example(heading: string): string {
  const [, section = ''] = readme.split(`## ${heading}\n`)
  const [, code = ''] = /```ts\n(.*?)```/s.exec(section) ?? []
  return code.replaceAll(/^import .*$/gm, '').replace('export default ', 'const config = ')
}

/** The second example of a section. */
function secondExample(heading: string): string {
  const [, section = ''] = readme.split(`## ${heading}\n`)
  return [...section.matchAll(/```ts\n(.*?)```/gs)][1]?.[1]?.replaceAll(/^import .*$/gm, '') ?? ''
}

function run(code: string, names: Record<string, unknown>, result: string): Promise<unknown> {
  return new Function(...Object.keys(names), `return (async () => { ${code}\nreturn ${result} })()`)(
    ...Object.values(names),
  )
}

it('shows a service that takes the sessions of a Clerk', async () => {
  const { clerk, sessionId, userId, organizationId } = await clerkWorld()
  const code = example("A service that takes Clerk's sessions").replace('https://clerk.example.com', clerk.issuer)
  const names = { clerkVerifier, createGuard, expressAuth, express }
  const { app, verifier } = (await run(code, names, '{ app, verifier }')) as {
    app: ReturnType<typeof express>
    verifier: ReturnType<typeof clerkVerifier>
  }
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  atEnd(() => server.close())
  atEnd(() => verifier.close())
  const { port } = server.address() as { port: number }
  const headers = { authorization: `Bearer ${clerk.token(sessionId)}` }
  const response = await fetch(`http://127.0.0.1:${port}/runs`, { headers })
  expect(await response.json()).toEqual({ subject: userId, organization: organizationId })
})

it('shows webhooks', async () => {
  const { clerk, organizationId, userId } = await clerkWorld()
  const data = { id: 'orgmem_1', organization: { id: organizationId }, public_user_data: { user_id: userId } }
  const removed: unknown[] = []
  const names = {
    clerkWebhooks,
    memoryWebhookLedger,
    webhookSecret: clerk.webhookSecret,
    request: clerk.webhook('https://app.example.com/', { type: 'organizationMembership.deleted', data }),
    removeMember: (member: unknown) => removed.push(member),
  }
  expect(await run(example('Webhooks'), names, 'response.status')).toBe(204)
  expect(removed).toEqual([data])
})

it('shows a guard that acts on webhooks at once', async () => {
  const world = await clerkWorld()
  const { clerk, sessionId } = world
  const names = {
    webhookRevocations,
    createGuard,
    verifier: world.verifier({ keys: clerk.jwks }),
    webhooks: clerkWebhooks({ signingSecrets: [clerk.webhookSecret], ledger: memoryWebhookLedger() }),
    request: clerk.webhook('https://app.example.com/', { type: 'session.revoked', data: { id: sessionId } }),
  }
  const guard = (await run(secondExample('Webhooks'), names, 'guarded')) as ReturnType<typeof createGuard>
  expect(await guard.admit({ token: clerk.token(sessionId) })).toMatchObject({ admitted: false, code: 'revoked' })
  await guard.close()
})

it("shows Convex's configuration", async () => {
  expect(await run(example("Convex's `auth.config.ts`"), { ...authConfig }, 'config')).toEqual({
    providers: [{ domain: 'https://clerk.example.com', applicationID: 'convex' }],
  })
})

it('shows the stand-in', async () => {
  const token = (await run(example('Testing'), { fakeClerk }, 'sessionToken')) as string
  expect(token.split('.')).toHaveLength(3)
})
