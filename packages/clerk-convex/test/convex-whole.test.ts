import { ConvexClient } from 'convex/browser'
import { afterAll, expect, it, vi } from 'vitest'
import { clerkProvider } from '../src/auth-config/index.ts'
import { convexLoopback, fakeClerk } from '../src/testing/index.ts'
import { api } from './convex/_generated/api.ts'

const clerk = await fakeClerk()
// As an app reads it from its deployment's environment, when its modules are loaded.
process.env.TEST_CLERK_ISSUER = clerk.issuer
process.env.TEST_CLERK_WEBHOOK_SECRET = clerk.webhookSecret
const { createWorld, modules } = await import('./convex-world.ts')

const { t } = await createWorld()
const auth = { providers: [clerkProvider({ issuer: clerk.issuer, jwks: clerk.jwks })] }
const loopback = await convexLoopback(t, { auth, modules, followMs: 20 })
const client = new ConvexClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
afterAll(async () => {
  await client.close()
  await loopback.close()
  await clerk.close()
})

const soon = { timeout: 60_000, interval: 5 }

it('goes from Clerk to a live page of Convex and back, over the real clients of both', async () => {
  clerk.subscribe(`${loopback.siteUrl}/auth/webhook`)
  const user = clerk.world.addUser({ email: 'ada@example.com' })
  const organization = clerk.world.addOrganization({ name: 'Acme' })
  clerk.world.setMembership({ organization, user, role: 'org:admin' })
  const session = clerk.world.addSession(user.id, organization.id)
  await clerk.delivered()
  await t.run((ctx) => ctx.db.insert('projects', { orgId: organization.id, name: 'ours', budget: 1 }))

  const shown: { names: string[] | string } = { names: 'nothing yet' }
  const template = { name: 'convex', audience: 'convex' }
  client.setAuth(async () => clerk.token(session.id, { template }))
  client.onUpdate(
    api.projects.list,
    {},
    (rows) => (shown.names = rows.map(({ name }) => name)),
    () => (shown.names = 'refused'),
  )
  await vi.waitFor(() => expect(shown.names).toEqual(['ours']), soon)

  // Clerk is down: its keys are pinned, and nobody asks it.
  clerk.setOutage('drop')
  await client.mutation(api.projects.create, { name: 'made in the outage' })
  await vi.waitFor(() => expect(shown.names).toEqual(['ours', 'made in the outage']), soon)
  clerk.setOutage(undefined)

  // The token would be good for a minute more.
  clerk.world.removeMembership(organization.id, user.id)
  await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
  const rows = await t.run((ctx) => ctx.db.query('authAudit').collect())
  expect(rows.map(({ kind, action, outcome }) => [kind, action, outcome])).toEqual([
    ['authentication', 'session.created', 'allowed'],
    ['action', 'project.create', 'allowed'],
  ])
})
