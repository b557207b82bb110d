import { createHmac, randomBytes } from 'node:crypto'
import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { parseClerkClaims, unwrap } from '../../src/index.ts'
import { api } from '../convex/_generated/api.ts'
import { type LiveKeys, type Minting, mint } from './keys.ts'

/** A deployment with the functions of `live/convex`: a real one, or the loopback. */
export interface LiveDeployment {
  readonly url: string
  readonly siteUrl: string
  readonly keys: LiveKeys
}

const soon = { timeout: 60_000, interval: 50 }
const probe = {
  identity: makeFunctionReference<'query'>('probe:identity'),
  request: makeFunctionReference<'mutation'>('probe:request'),
  sign: makeFunctionReference<'mutation'>('probe:sign'),
} as const

/** The same for both: organisations and people have names of their own at each run, and their rows stay. */
export function describeConvex(name: string, deployment: () => LiveDeployment): void {
  const run = randomBytes(6).toString('hex')
  const acme = `org_acme_${run}`
  const other = `org_other_${run}`
  const ada = `user_ada_${run}`
  const clients: ConvexClient[] = []
  afterAll(() => Promise.all(clients.map((client) => client.close())))

  const token = (user: string, options: Minting = {}) => mint(deployment().keys, user, options)
  const inOrg = (id: string, more: object = {}): Minting => ({ claims: { o: { id }, ...more } })
  async function http(user?: string, options?: Minting): Promise<ConvexHttpClient> {
    const client = new ConvexHttpClient(deployment().url, { skipConvexDeploymentUrlCheck: true, logger: false })
    if (user !== undefined) client.setAuth(await token(user, options))
    return client
  }

  let deliveries = 0
  let happenedAt = Date.now()
  /** As Clerk tells it. */
  async function deliver(type: string, data: object, secret = deployment().keys.webhookSecret): Promise<number> {
    const id = `msg_${run}_${deliveries++}`
    happenedAt += 1
    const body = JSON.stringify({ type, data, timestamp: happenedAt, object: 'event' })
    const seconds = String(Math.floor(Date.now() / 1_000))
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
    const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
    const headers = { 'svix-id': id, 'svix-timestamp': seconds, 'svix-signature': `v1,${signature}` }
    return (await fetch(`${deployment().siteUrl}/auth/webhook`, { method: 'POST', headers, body })).status
  }
  const membership = (organization: string, user: string, role = 'org:admin') => ({
    organization: { id: organization },
    public_user_data: { user_id: user },
    role,
  })

  describe(`${name}: tokens`, () => {
    it.each(['RS256', 'ES256'] as const)('takes %s by a key set, and says whose it is', async (algorithm) => {
      const client = await http(ada, { ...inOrg(acme), algorithm })
      const identity = await client.query(probe.identity, {})
      expect(parseClerkClaims(identity)).toMatchObject({ subject: ada, organization: { id: acme } })
      expect(identity).toMatchObject({ 'o.id': acme })
      expect(identity).not.toHaveProperty('fva')
    })

    it('says nobody without one', async () => {
      expect(await (await http()).query(probe.identity, {})).toBeNull()
    })

    const refused: [what: string, options: Minting][] = [
      ['past its end', { claims: { exp: 1_700_000_000, iat: 1_699_999_940 } }],
      ['of another issuer', { claims: { iss: 'https://elsewhere.test' } }],
      ['for another audience', { claims: { aud: 'elsewhere' } }],
      ['of the other key’s algorithm', { algorithm: 'ES256', claims: { iss: 'https://clerk.live-suite.test' } }],
      ['without an end', { claims: { exp: undefined } }],
    ]
    it.each(refused)('refuses one that is %s', async (_what, options) => {
      const client = await http(ada, options)
      await expect(client.query(probe.identity, {})).rejects.toThrow()
    })

    it('refuses one that was changed', async () => {
      const client = await http()
      client.setAuth(`${(await token(ada)).slice(0, -8)}AAAAAAAA`)
      await expect(client.query(probe.identity, {})).rejects.toThrow()
    })

    it('shows a mutation the token, which step-up is read from', async () => {
      const client = await http()
      const given = await token(ada, inOrg(acme))
      client.setAuth(given)
      expect(await client.mutation(probe.request, {})).toBe(given)
    })

    it('signs with ES256, by a key that is published', async () => {
      const signed: string = await (await http(ada)).mutation(probe.sign, {})
      const keys = createRemoteJWKSet(new URL(`${deployment().url}/.well-known/jwks.json`))
      const { payload, protectedHeader } = await jwtVerify(signed, keys, { audience: 'live-suite' })
      expect([protectedHeader.alg, payload.sub]).toEqual(['ES256', 'live'])
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
    })
  })

  describe(`${name}: functions`, () => {
    it('let in whom the webhooks made a member, and show what is theirs', async () => {
      const client = await http(ada, inOrg(acme))
      await expect(unwrap(client.query(api.projects.list, {}))).rejects.toMatchObject({ reason: 'not_a_member' })
      expect(await deliver('organizationMembership.created', membership(acme, ada))).toBe(204)
      expect(await deliver('organizationMembership.created', membership(other, `user_bob_${run}`))).toBe(204)
      await unwrap(client.mutation(api.projects.create, { name: 'alpha' }))
      expect((await client.query(api.projects.list, {})).map((row) => row.name)).toEqual(['alpha'])
      const bob = await http(`user_bob_${run}`, inOrg(other))
      expect(await bob.query(api.projects.list, {})).toEqual([])
      const [row] = await client.query(api.projects.list, {})
      if (row === undefined) throw new Error('there is one')
      expect(await bob.query(api.projects.read, { id: row._id })).toBeNull()
    })

    it('refuse without the role, by an envelope that is unwrapped', async () => {
      const mia = `user_mia_${run}`
      expect(await deliver('organizationMembership.created', membership(acme, mia, 'org:member'))).toBe(204)
      const created = unwrap((await http(mia, inOrg(acme))).mutation(api.projects.create, { name: 'no' }))
      await expect(created).rejects.toMatchObject({ code: 'access_denied', reason: 'missing_permission' })
    })

    it('ask for a recent proof', async () => {
      const list = await (await http(ada, inOrg(acme))).query(api.projects.list, {})
      const [row] = list
      if (row === undefined) throw new Error('there is one')
      const late = await http(ada, inOrg(acme, { fva: [30, -1] }))
      await expect(unwrap(late.mutation(api.projects.remove, { id: row._id }))).rejects.toMatchObject({
        reason: 'step_up_required',
      })
      await unwrap((await http(ada, inOrg(acme, { fva: [0, -1] }))).mutation(api.projects.remove, { id: row._id }))
    })

    it('tell a page what changes, and shut it out when the membership ends', async () => {
      const client = new ConvexClient(deployment().url, { skipConvexDeploymentUrlCheck: true, logger: false })
      clients.push(client)
      const shown: { names: string[] | string } = { names: 'nothing yet' }
      client.setAuth(() => token(ada, inOrg(acme)))
      client.onUpdate(
        api.projects.list,
        {},
        (rows) => {
          shown.names = rows.map((row) => row.name)
        },
        () => {
          shown.names = 'refused'
        },
      )
      await vi.waitFor(() => expect(shown.names).toEqual([]), soon)
      await unwrap((await http(ada, inOrg(acme))).mutation(api.projects.create, { name: 'live' }))
      await vi.waitFor(() => expect(shown.names).toEqual(['live']), soon)
      expect(await deliver('organizationMembership.deleted', membership(acme, ada))).toBe(204)
      await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
    })

    it('serve the status route, and turn away a webhook that is not signed', async () => {
      const status = await fetch(`${deployment().siteUrl}/auth/status`)
      expect(await status.json()).toMatchObject({ state: 'signed-out' })
      const forged = `whsec_${randomBytes(32).toString('base64')}`
      expect(await deliver('user.deleted', { id: ada, deleted: true }, forged)).toBe(400)
    })
  })
}
