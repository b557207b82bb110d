import { ConvexClient, ConvexHttpClient } from 'convex/browser'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { clerkProvider } from '../src/auth-config/index.ts'
import { isAuthError, unwrap } from '../src/index.ts'
import { type ConvexLoopback, convexLoopback } from '../src/testing/index.ts'
import { api, internal } from './convex/_generated/api.ts'
import { issuer } from './convex/auth.ts'
import { createWorld, modules } from './convex-world.ts'

let jwks: { keys: never[] }
let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
beforeAll(async () => {
  const pair = await generateKeyPair('RS256')
  privateKey = pair.privateKey
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', use: 'sig', alg: 'RS256' } as never] }
})

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Claims {
  readonly [name: string]: unknown
}

function mint(user: string, organization: string, claims: Claims = {}): Promise<string> {
  const iat = Math.floor(Date.now() / 1_000)
  const all = {
    iss: issuer,
    aud: 'convex',
    sub: user,
    iat,
    exp: iat + 60,
    o: { id: organization },
    fva: [0, -1],
    ...claims,
  }
  return new SignJWT(all).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(privateKey)
}

async function start(options: { readonly now?: () => number } = {}) {
  const world = await createWorld()
  const auth = { providers: [clerkProvider({ issuer, jwks })] }
  const loopback = await convexLoopback(world.t, { auth, modules, followMs: 20, ...options })
  ends.push(() => loopback.close())
  return { ...world, loopback }
}

function open({ url }: ConvexLoopback): ConvexClient {
  const client = new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false })
  ends.push(() => client.close())
  return client
}

/** What a page shows: the last names that a live query told. */
function watch(client: ConvexClient) {
  const shown: { names: string[] | string; updates: number } = { names: 'nothing yet', updates: 0 }
  client.onUpdate(
    api.projects.list,
    {},
    (rows) => {
      shown.names = rows.map(({ name }) => name)
      shown.updates++
    },
    () => {
      shown.names = 'refused'
    },
  )
  return shown
}

const soon = { timeout: 60_000, interval: 5 }

describe('the real ConvexHttpClient', () => {
  it('asks, changes and acts with a token', async () => {
    const { loopback, ids } = await start()
    const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    client.setAuth(await mint('ada', 'org_a'))
    expect((await client.query(api.projects.list, {})).map(({ name }) => name)).toEqual(['alpha'])
    await client.mutation(api.projects.rename, { id: ids.projectA, name: 'renamed' })
    expect(await client.consistentQuery(api.projects.read, { id: ids.projectA })).toMatchObject({ name: 'renamed' })
    expect(await client.action(api.people.greet, {})).toBe('Hello ada')
  })

  it('is refused in each of the ways', async () => {
    const { loopback, ids } = await start()
    const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    await expect(unwrap(client.query(api.projects.list, {}))).rejects.toMatchObject({ reason: 'signed_out' })
    client.setAuth(await mint('mia', 'org_a'))
    const stop = unwrap(client.mutation(api.runs.stop, { id: ids.openRunA }))
    await expect(stop).rejects.toSatisfy((error) => isAuthError(error) && error.reason === 'missing_permission')
    client.setAuth(await mint('ada', 'org_a', { exp: 1 }))
    await expect(client.query(api.projects.list, {})).rejects.toThrow(/expired/)
    client.setAuth(`${(await mint('ada', 'org_a')).slice(0, -4)}AAAA`)
    await expect(client.query(api.projects.list, {})).rejects.toThrow(/bad_signature/)
  })

  it('finds no internal function, no raw one that is not there, and none by another kind', async () => {
    const { loopback, ids } = await start()
    const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    const args = { id: ids.projectA, name: 'x', principal: { organization: 'org_a', system: 'me' } }
    await expect(client.mutation(internal.projects.renameFor as never, args as never)).rejects.toThrow('Could not find')
    await expect(client.query(api.people.greet as never, {} as never)).rejects.toThrow('Could not find')
  })

  it('sees its own token in mutations, where factors are asked for', async () => {
    const { loopback, ids } = await start()
    const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    client.setAuth(await mint('ada', 'org_a', { fva: [30, -1] }))
    const remove = () => unwrap(client.mutation(api.projects.remove, { id: ids.projectA }))
    await expect(remove()).rejects.toMatchObject({ reason: 'step_up_required' })
    client.setAuth(await mint('ada', 'org_a', { fva: [1, -1] }))
    await remove()
  })
})

describe('the real ConvexClient', () => {
  it('follows what others change, and what no client changed', async () => {
    const { t, loopback, ids } = await start()
    const client = open(loopback)
    client.setAuth(() => mint('ada', 'org_a'))
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    const other = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    other.setAuth(await mint('ada', 'org_a'))
    await other.mutation(api.projects.rename, { id: ids.projectA, name: 'by another' })
    await vi.waitFor(() => expect(shown.names).toEqual(['by another']), soon)
    await t.run((ctx) => ctx.db.patch(ids.projectA, { name: 'by a job' }))
    await vi.waitFor(() => expect(shown.names).toEqual(['by a job']), soon)
  })

  it('changes, acts, and learns of denials', async () => {
    const { loopback, ids } = await start()
    const client = open(loopback)
    client.setAuth(() => mint('ada', 'org_a'))
    const shown = watch(client)
    await client.mutation(api.projects.rename, { id: ids.projectA, name: 'mine' })
    await vi.waitFor(() => expect(shown.names).toEqual(['mine']), soon)
    expect(await client.action(api.projects.renameAction, { id: ids.projectA, name: 'acted' })).toBe('renamed')
    await vi.waitFor(() => expect(shown.names).toEqual(['acted']), soon)
    const foreign = unwrap(client.mutation(api.projects.rename, { id: ids.projectB, name: 'x' }))
    await expect(foreign).rejects.toMatchObject({ reason: 'not_found' })
  })

  it('shows another organisation after the switch, and nothing after signing out', async () => {
    const { t, loopback } = await start()
    await t.run((ctx) =>
      ctx.db.insert('authMemberships', {
        organization: 'org_b',
        user: 'ada',
        role: 'member',
        state: 'active',
        changedAt: 1,
      }),
    )
    const client = open(loopback)
    client.setAuth(() => mint('ada', 'org_a'))
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    let minted = 0
    client.setAuth(async () => {
      const token = await mint('ada', 'org_b', { jti: String(minted) })
      minted++
      return token
    })
    await vi.waitFor(() => expect(shown.names).toEqual(['beta']), soon)
    // The client confirms what may be a cached token with a fresh one, which would sign in again after signing out.
    await vi.waitFor(() => expect(minted).toBe(2), soon)
    // As Convex's React provider does. A `setAuth` that answers null drops the message that would sign out, since the
    // client has paused its socket for it, and the last organisation stays on the screen.
    client.client.clearAuth()
    await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
  })

  it('is shut out by a removal, in the middle of a live query', async () => {
    const { t, loopback } = await start()
    const client = open(loopback)
    client.setAuth(() => mint('ada', 'org_a'))
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    await t.run(async (ctx) => {
      const row = await ctx.db
        .query('authMemberships')
        .withIndex('by_organization_user', (q) => q.eq('organization', 'org_a').eq('user', 'ada'))
        .unique()
      if (row !== null) await ctx.db.patch(row._id, { state: 'removed' })
    })
    await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
  })

  it('fetches a new token when the old one is refused, and goes on', async () => {
    const { loopback } = await start()
    const client = open(loopback)
    const asked: boolean[] = []
    const changes: boolean[] = []
    client.setAuth(
      ({ forceRefreshToken }) => {
        asked.push(forceRefreshToken)
        return mint('ada', 'org_a', asked.length === 1 ? { exp: 1 } : {})
      },
      (isAuthenticated) => changes.push(isAuthenticated),
    )
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    expect(asked).toEqual([false, true])
    expect(changes).toEqual([true])
  })

  it('is told when its token ends while it runs, and renews it', async () => {
    let ahead = 0
    const { loopback, ids } = await start({ now: () => Date.now() / 1_000 + ahead })
    const client = open(loopback)
    let minted = 0
    client.setAuth(() => {
      minted++
      const iat = Math.floor(Date.now() / 1_000 + ahead)
      return mint('ada', 'org_a', { iat, exp: iat + 60, jti: String(minted) })
    })
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    await vi.waitFor(() => expect(minted).toBe(2), soon)
    ahead = 120
    await client.mutation(api.projects.rename, { id: ids.projectA, name: 'renewed' })
    expect(minted).toBe(3)
    await vi.waitFor(() => expect(shown.names).toEqual(['renewed']), soon)
  })

  it('comes back from an outage with what changed meanwhile, and runs a mutation once', async () => {
    const { t, loopback, ids } = await start()
    const client = open(loopback)
    client.setAuth(() => mint('ada', 'org_a'))
    const shown = watch(client)
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    loopback.setOutage(true)
    await vi.waitFor(() => expect(client.connectionState().isWebSocketConnected).toBe(false), soon)
    const pending = client.mutation(api.projects.create, { name: 'from the outage' })
    await t.run((ctx) => ctx.db.patch(ids.projectA, { name: 'meanwhile' }))
    expect(shown.names).toEqual(['alpha'])
    loopback.setOutage(false)
    await pending
    await vi.waitFor(() => expect(shown.names).toEqual(['meanwhile', 'from the outage']), soon)
  })

  it('keeps the session over a reload', async () => {
    const { loopback } = await start()
    const token = await mint('ada', 'org_a')
    for (let load = 0; load < 2; load++) {
      const client = open(loopback)
      client.setAuth(async () => token)
      const shown = watch(client)
      await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
      await client.close()
    }
  })
})

describe('the site of the loopback', () => {
  it('answers with HTTP actions, as whom the token says', async () => {
    const { loopback } = await start()
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${loopback.siteUrl}/auth/status`, { headers })).json()
    expect(await status({})).toMatchObject({ state: 'signed-out' })
    expect(await status({ authorization: 'Bearer nonsense' })).toMatchObject({ state: 'signed-out' })
    const authorization = `Bearer ${await mint('ada', 'org_a')}`
    expect(await status({ authorization })).toMatchObject({
      state: 'signed-in',
      subject: 'ada',
      org: 'org_a',
      role: 'admin',
    })
    expect((await fetch(`${loopback.siteUrl}/no/such`)).status).toBe(404)
    expect(await (await fetch(`${loopback.url}/.well-known/jwks.json`)).json()).toEqual(loopback.key.jwks)
    expect((await fetch(`${loopback.url}/api/query`, { method: 'POST', body: 'no json' })).status).toBe(400)
  })
})
