import { createHmac } from 'node:crypto'
import { httpRouter, makeFunctionReference } from 'convex/server'
import { convexTest } from 'convex-test'
import { describe, expect, it } from 'vitest'
import { api } from './convex/_generated/api.ts'
import { auth, told } from './convex/auth.ts'
import { signingSecret } from './convex/http.ts'
import schema from './convex/schema.ts'
import { type Caller, createWorld, modules } from './convex-world.ts'

let deliveries = 0

interface Delivery {
  readonly type: string
  readonly data: object
  readonly at: number
  readonly id?: string
  readonly secret?: string
  readonly instance?: string
}

/** As Svix sends it. */
function deliver(t: Caller, delivery: Delivery) {
  const { type, data, at, id = `msg_${deliveries++}`, secret = signingSecret, instance } = delivery
  const body = JSON.stringify({ type, data, timestamp: at, object: 'event', instance_id: instance })
  const seconds = String(Math.floor(Date.now() / 1_000))
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  const headers = { 'svix-id': id, 'svix-timestamp': seconds, 'svix-signature': `v1,${signature}` }
  return t.fetch('/auth/webhook', { method: 'POST', headers, body })
}

const membership = (organization: string, user: string, role = 'org:admin') => ({
  organization: { id: organization },
  public_user_data: { user_id: user },
  role,
})

describe('the webhook route', () => {
  const list = (world: Awaited<ReturnType<typeof createWorld>>, user: string) =>
    world.as(user, 'org_a').query(api.projects.list, {})

  it('lets a new member in, and shuts a removed one out with the same token', async () => {
    const world = await createWorld()
    await expect(list(world, 'new')).rejects.toThrow()
    const data = membership('org_a', 'new')
    expect((await deliver(world.t, { type: 'organizationMembership.created', data, at: 10 })).status).toBe(204)
    expect(await list(world, 'new')).toHaveLength(1)
    await deliver(world.t, { type: 'organizationMembership.deleted', data, at: 20 })
    await expect(list(world, 'new')).rejects.toThrow()
  })

  it('keeps the order of what happened, not of what arrived', async () => {
    const world = await createWorld()
    const data = membership('org_a', 'late')
    await deliver(world.t, { type: 'organizationMembership.deleted', data, at: 20 })
    await deliver(world.t, { type: 'organizationMembership.created', data, at: 10 })
    await deliver(world.t, { type: 'organizationMembership.updated', data, at: 20 })
    await expect(list(world, 'late')).rejects.toThrow()
    await deliver(world.t, { type: 'organizationMembership.created', data, at: 21 })
    expect(await list(world, 'late')).toHaveLength(1)
  })

  it('applies a delivery once, however often it comes', async () => {
    const world = await createWorld()
    const session = { id: 'sess_1', user_id: 'ada' }
    const created = { type: 'session.created', data: session, at: 5, id: 'msg_same' }
    await deliver(world.t, created)
    await deliver(world.t, created)
    await deliver(world.t, { type: 'session.revoked', data: session, at: 6 })
    const rows = await world.audit()
    expect(rows.map(({ kind, action, user, session: id, at }) => [kind, action, user, id, at])).toEqual([
      ['authentication', 'session.created', 'ada', 'sess_1', 5],
      ['session', 'session.revoked', 'ada', 'sess_1', 6],
    ])
  })

  it('shuts out who was banned or deleted, and a deleted organisation', async () => {
    const world = await createWorld()
    await deliver(world.t, { type: 'user.updated', data: { id: 'ada', banned: true }, at: 1 })
    await expect(list(world, 'ada')).rejects.toThrow()
    // Anybody who guesses at a password can have an account locked.
    await deliver(world.t, { type: 'user.updated', data: { id: 'ada', banned: false, locked: true }, at: 2 })
    expect(await list(world, 'ada')).toHaveLength(1)
    await deliver(world.t, { type: 'organization.deleted', data: { id: 'org_a' }, at: 3 })
    await expect(list(world, 'ada')).rejects.toThrow()
    // Whatever is told of it afterwards: an id is never given twice.
    await deliver(world.t, { type: 'organization.updated', data: { id: 'org_a' }, at: 4 })
    await expect(list(world, 'ada')).rejects.toThrow()
    await deliver(world.t, { type: 'user.deleted', data: { id: 'bob' }, at: 5 })
    await deliver(world.t, { type: 'user.updated', data: { id: 'bob', banned: false }, at: 6 })
    await expect(world.as('bob', 'org_b').query(makeFunctionReference<'query'>('projects:list'), {})).rejects.toThrow()
  })

  it('turns away what is not signed, and leaves alone what it does not know', async () => {
    const world = await createWorld()
    const data = membership('org_a', 'eve')
    const secret = `whsec_${btoa('another secret, also of 32 bytes')}`
    const forged = { type: 'organizationMembership.created', data, at: 10, secret }
    expect((await deliver(world.t, forged)).status).toBe(400)
    expect(told).toEqual([{ type: 'token_refused', route: 'webhook' }])
    expect((await deliver(world.t, { type: 'email.created', data: { id: 'ema_1' }, at: 1 })).status).toBe(204)
    expect(await world.t.run((ctx) => ctx.db.query('authWebhooks').collect())).toEqual([])
  })

  it('turns away events of another instance where one is named, and tells the phase that it is told', async () => {
    const http = httpRouter()
    const options = { signingSecrets: () => [signingSecret], instance: () => 'ins_ours' }
    http.route({ path: '/auth/webhook', method: 'POST', handler: auth.webhookRoute(options) })
    http.route({ path: '/auth/status', method: 'GET', handler: auth.statusRoute({ phase: () => 'canary' }) })
    const t = convexTest({ schema, modules: { ...modules, './convex/http.ts': async () => ({ default: http }) } })
    const user = { type: 'user.created', data: { id: 'u' }, at: 1 }
    expect((await deliver(t, user)).status).toBe(400)
    expect((await deliver(t, { ...user, instance: 'ins_theirs' })).status).toBe(400)
    expect((await deliver(t, { ...user, instance: 'ins_ours' })).status).toBe(204)
    expect(await (await t.fetch('/auth/status')).json()).toEqual({ state: 'signed-out', phase: 'canary' })
  })

  it('forgets ids that cannot come again', async () => {
    const world = await createWorld()
    await world.t.run(async (ctx) => {
      for (let at = 0; at < 25; at++) await ctx.db.insert('authWebhooks', { svixId: `old_${at}`, receivedAt: at })
    })
    await deliver(world.t, { type: 'user.created', data: { id: 'u' }, at: 1 })
    expect(await world.t.run((ctx) => ctx.db.query('authWebhooks').collect())).toHaveLength(16)
  })
})

describe('the routes that tell who is signed in', () => {
  it('answers the status, and never with a refusal', async () => {
    const { t, as } = await createWorld()
    const nobody = await t.fetch('/auth/status')
    expect([nobody.status, await nobody.json()]).toEqual([200, { state: 'signed-out', phase: 'sealed' }])
    const headers = { authorization: `Bearer x.${btoa(JSON.stringify({ exp: 99 }))}.x`, origin: 'http://app.test' }
    const ada = await as('ada', 'org_a').fetch('/auth/status', { headers })
    expect(ada.headers.get('access-control-allow-origin')).toBe('http://app.test')
    expect(await ada.json()).toEqual({
      state: 'signed-in',
      provider: 'clerk',
      subject: 'ada',
      org: 'org_a',
      role: 'admin',
      expires_at: 99,
      phase: 'sealed',
    })
    const elsewhere = await t.fetch('/auth/status', { headers: { ...headers, origin: 'http://other.test' } })
    expect(elsewhere.headers.get('access-control-allow-origin')).toBeNull()
    expect(told).toEqual([{ type: 'token_refused', route: 'status' }])
  })

  it('answers the user, with the organisations of our table', async () => {
    const { t, as } = await createWorld()
    expect((await t.fetch('/auth/user')).status).toBe(401)
    const foreign = await as('bob', 'org_a').fetch('/auth/user')
    expect(await foreign.json()).toEqual({
      user: 'bob',
      provider: 'clerk',
      permissions: [],
      organizations: [{ organization: 'org_b', role: 'admin' }],
    })
    const own = await as('mia', 'org_a').fetch('/auth/user')
    expect(await own.json()).toMatchObject({
      user: 'mia',
      organization: 'org_a',
      role: 'member',
      permissions: ['run:start'],
    })
  })
})
