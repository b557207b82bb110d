import { createTokenSource } from '@countersign/token-source'
import { systemClock } from '@countersign/tokens'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Rig, type RigOptions, startRig } from '../src/rig.ts'
import { type Connected, connects, newKey, watchWire } from './clients.ts'

let rig: Rig
const open: Connected[] = []
beforeAll(async () => {
  rig = await startRig()
})
afterEach(async () => {
  for (const { client } of open.splice(0)) await client.close()
})
afterAll(() => rig.close())

const refused = /Client authentication failed/
const notItsOwn = /audience/

/** A rig of its own, for what other tests would feel. */
async function withRig(options: RigOptions, use: (own: Rig) => Promise<void>): Promise<void> {
  const own = await startRig(options)
  // The SDK says on standard error that it tries a refused client once more.
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  try {
    await use(own)
  } finally {
    for (const { client } of open.splice(0)) await client.close()
    warn.mockRestore()
    await own.close()
  }
}

let count = 0
const nextName = () => `client-${++count}`

describe.each(Object.entries(connects))('an unmodified client: %s', (_name, { server, connect }) => {
  async function opened(...args: Parameters<typeof connect>): Promise<Connected> {
    const connected = await connect(...args)
    open.push(connected)
    return connected
  }

  it('finds the issuer by the 401, and gets a token for this very server with its secret', async () => {
    const { id, secret } = await rig.addClient(nextName())
    const wire = watchWire()
    const { call } = await opened(rig, { id, secret }, wire)
    expect(await call('whoami')).toBe(id)
    const { endpoint } = rig.servers[server]
    expect(wire.statuses[0]).toBe(401)
    expect(wire.urls).toContain(endpoint.replace('/mcp', '/.well-known/oauth-protected-resource/mcp'))
    expect(wire.urls).toContain(`${rig.issuer}/.well-known/oauth-authorization-server`)
    // The client may use two servers: only the resource says which one (RFC 8707).
    expect(wire.tokenRequests).toEqual([expect.objectContaining({ resource: endpoint })])
    expect(wire.schemes).toEqual(['Basic'])
  })

  it('finds an issuer that has a path', async () => {
    await withRig({ issuerPath: '/tenants/one' }, async (own) => {
      const client = await own.addClient(nextName())
      const wire = watchWire()
      const { call } = await opened(own, client, wire)
      expect(await call('whoami')).toBe(client.id)
      const origin = new URL(own.issuer).origin
      expect(wire.urls).toContain(`${origin}/.well-known/oauth-authorization-server/tenants/one`)
    })
  })

  it('authenticates with an Ed25519 key', async () => {
    const { publicKey, privateKey } = newKey()
    const { id, name } = await rig.addClient(nextName())
    await rig.service.clients.rotateKey(name, publicKey, { overlapSeconds: 0 })
    const wire = watchWire()
    const { call } = await opened(rig, { id, privateKey }, wire)
    expect(await call('test_simple_text')).toBe('This is a simple text response for testing.')
    expect(wire.tokenRequests[0]).toMatchObject({ client_assertion: expect.stringMatching(/^ey/) })
    expect(wire.schemes).toEqual([undefined])
  })

  it('sees the tools that its scopes are for, in the same order each time', async () => {
    const reader = await rig.addClient(nextName(), { scopes: ['fixtures:read'] })
    const { tools } = await opened(rig, reader, watchWire())
    const names = await tools()
    expect(names).toEqual(expect.arrayContaining(['test_simple_text', 'version', 'whoami']))
    expect(names).not.toContain('write')
    expect(names).not.toContain('copy')
    expect(await tools()).toEqual(names)
  })

  it('gets a new token when the old one has expired', async () => {
    await withRig({ revocations: false }, async (own) => {
      const client = await own.addClient(nextName())
      const wire = watchWire()
      const { call } = await opened(own, client, wire)
      await call('whoami')
      own.pass(620)
      const from = wire.statuses.length
      expect(await call('whoami')).toBe(client.id)
      expect(wire.statuses.slice(from)).toEqual([401, 200])
      expect(wire.tokenRequests).toHaveLength(2)
    })
  })

  it('is refused, and gets no new token, once it is disabled', async () => {
    await withRig({}, async (own) => {
      const client = await own.addClient(nextName())
      const wire = watchWire()
      const { call } = await opened(own, client, wire)
      await call('whoami')
      await own.service.clients.disable(client.name)
      // The news reach the guard by the feed.
      await expect.poll(() => call('whoami').then(String, String)).toMatch(refused)
      expect(wire.statuses.at(-1)).toBe(401)
      expect(wire.granted).toHaveLength(1)
    })
  })

  it('gets nowhere with another client’s secret, nor where it is not let', async () => {
    await withRig({}, async (own) => {
      const client = await own.addClient(nextName())
      const other = await own.addClient(nextName(), { audiences: [server === 'v1' ? 'fixtures-v2' : 'fixtures-v1'] })
      const wire = watchWire()
      await expect(connect(own, { ...client, secret: other.secret }, wire)).rejects.toThrow(refused)
      await expect(connect(own, other, wire)).rejects.toThrow(notItsOwn)
      expect(wire.granted).toEqual([])
    })
  })

  it('sends its secret to no other issuer than the expected one', async () => {
    const client = await rig.addClient(nextName())
    const wire = watchWire()
    await expect(connect({ ...rig, issuer: 'https://elsewhere.example.com' }, client, wire)).rejects.toThrow()
    expect(wire.tokenRequests).toEqual([])
  })
})

describe('a token source as what the SDK asks for tokens', () => {
  it('renews what was refused, and steps up to nothing', async () => {
    const credentials = await rig.addClient(nextName())
    const { endpoint } = rig.servers.v2
    let aheadMs = 0
    const source = createTokenSource({
      issuer: rig.issuer,
      client: credentials,
      grant: { type: 'client_credentials', resource: endpoint, scope: 'fixtures:read' },
      clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs },
    })
    const authProvider = {
      token: () => source.getToken(),
      onUnauthorized: async () => {
        await source.getToken({ reason: 'rejected' })
      },
    }
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(endpoint), { authProvider }))
    const first = await source.getToken()
    await rig.service.revokeToken(first)
    // A source gives up no token that it got less than 5 s ago.
    aheadMs = 10_000
    const listAgain = async (): Promise<string> => {
      const { tools } = await client.listTools()
      expect(tools.length).toBeGreaterThan(0)
      return source.getToken()
    }
    await expect.poll(listAgain).not.toBe(first)
    await expect(client.callTool({ name: 'copy', arguments: {} })).rejects.toMatchObject({
      ...{ name: 'InsufficientScopeError', requiredScope: 'fixtures:read fixtures:write' },
    })
    await client.close()
    source.close()
  })
})

describe('step-up', () => {
  const second = Object.entries(connects).filter(([, { server }]) => server === 'v2')

  it.each(second)('by %s: one 403 that names all scopes, one token with the union', async (_name, { connect }) => {
    const client = await rig.addClient(nextName())
    const wire = watchWire()
    const connected = await connect(rig, client, wire)
    open.push(connected)
    await connected.call('test_simple_text')
    // What the 401 asked for, which is the baseline.
    expect(wire.granted).toEqual(['fixtures:read'])
    const from = wire.statuses.length
    expect(await connected.call('copy')).toBe('copied')
    expect(wire.statuses.slice(from)).toEqual([403, 200])
    expect(wire.tokenRequests.at(-1)?.scope?.split(' ').sort()).toEqual(['fixtures:read', 'fixtures:write'])
    expect(wire.granted).toHaveLength(2)
    await connected.call('write')
    await connected.call('test_simple_text')
    expect(wire.granted).toHaveLength(2)
  })

  it.each(second)('by %s: a client that may not have the scope is told so at once', async (_name, { connect }) => {
    const client = await rig.addClient(nextName(), { scopes: ['fixtures:read'] })
    const wire = watchWire()
    const connected = await connect(rig, client, wire)
    open.push(connected)
    const from = wire.statuses.length
    await expect(connected.call('write')).rejects.toThrow(/scope/i)
    expect(wire.statuses.slice(from)).toEqual([403])
    expect(wire.granted).toEqual(['fixtures:read'])
  })

  it('by SDK 1.x: the client knows its configured scopes only, and gives up after one try', async () => {
    const { connect } = connects['SDK 1.x, protocol 2025-11-25'] ?? {}
    const client = await rig.addClient(nextName())
    const wire = watchWire()
    const connected = await connect?.(rig, client, wire, 'fixtures:read')
    if (connected === undefined) throw new Error('no client')
    open.push(connected)
    const from = wire.statuses.length
    await expect(connected.call('copy')).rejects.toThrow('403')
    expect(wire.statuses.slice(from)).toEqual([403, 403])
    expect(wire.granted).toEqual(['fixtures:read', 'fixtures:read'])
  })
})
