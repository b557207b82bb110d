import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRevocationView, type FeedMessage, type RevocationView, readMessage } from '@countersign/revocation'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Exchange } from '../src/http/exchange.ts'
import { createStreams } from '../src/http/streams.ts'
import { canaryPrefix, type RevocationFeed, type Sent } from '../src/index.ts'
import { basic, claimsOf, jsonOf, type Service, signInBody, startService, withAda } from './service.ts'

let service: Service
let etl: { id: string; secret: string }
beforeEach(async () => {
  service = await startService({ feed: true })
  etl = await service.client({ name: 'etl' })
  await withAda(service)
  await service.issuer.feed?.started
})
afterEach(() => service.close())

const as = (client: { id: string; secret: string }) => ({ authorization: basic(client.id, client.secret) })
const signIn = async () => (await service.postJson('/auth/sign-in', signInBody())).body
const keys = () => ({ issuer: service.url, keys: service.feedRing?.keys ?? { get: () => undefined } }) as never

async function fetchFeed(path = '/revocations', headers: Record<string, string> = {}) {
  const response = await fetch(service.url + path, { headers })
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) }
}

const read = (bytes: Uint8Array | string): Promise<FeedMessage> => readMessage(bytes, keys())

async function load(view: RevocationView): Promise<void> {
  const message = await read((await fetchFeed()).bytes)
  if (message.kind !== 'snapshot') throw new Error(message.kind)
  await view.load({ ...message.head, entries: message.entries })
}

/** Lets this process's feed take in what was appended. */
async function caughtUp(): Promise<void> {
  const { position } = await service.stores.revocations.snapshot()
  while ((service.issuer.feed?.position?.seq ?? -1) < position.seq) await new Promise((done) => setImmediate(done))
}

async function revokeSomething(): Promise<string> {
  const { access_token } = await signIn()
  await service.issuer.revokeToken(access_token)
  await caughtUp()
  return String(claimsOf(access_token).jti)
}

interface Stream {
  /** The next event's message. */
  next(): Promise<FeedMessage>
  readonly status: number | undefined
  readonly ended: Promise<void>
  close(): void
}

async function openStream(headers: Record<string, string> = {}): Promise<Stream> {
  const request = get(`${service.url}/revocations/stream`, { headers })
  const response = await new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  request.on('error', () => {})
  const ended = new Promise<void>((resolve) => response.on('close', resolve))
  let text = ''
  let wake = (): void => {}
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    wake()
  })
  response.on('error', () => {})
  return {
    status: response.statusCode,
    ended,
    close: () => request.destroy(),
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end >= 0) {
          const lines = text.slice(0, end).split('\n')
          text = text.slice(end + 2)
          return read(
            lines
              .filter((line) => line.startsWith('data:'))
              .map((line) => line.slice(5))
              .join('\n'),
          )
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

describe('every way to revoke', () => {
  interface Signed {
    readonly access_token: string
    readonly refresh_token: string
  }
  const introspect = async (token: string) =>
    (await service.post('/oauth/introspect', { token }, as(etl))).body as { active: boolean }
  const entrances: [how: string, type: string, revoke: (tokens: Signed) => Promise<unknown>][] = [
    [
      'the token endpoint for revocation, with a refresh token',
      'sid',
      ({ refresh_token }) => service.post('/oauth/revoke', { token: refresh_token, client_id: 'countersign-cli' }),
    ],
    [
      'the token endpoint for revocation, with an access token',
      'jti',
      ({ access_token }) => service.post('/oauth/revoke', { token: access_token, client_id: 'countersign-cli' }),
    ],
    ['sign-out', 'sid', ({ refresh_token }) => service.postJson('/auth/sign-out', { refresh_token })],
    [
      'sign-out by the access token',
      'sid',
      ({ access_token }) => service.postJson('/auth/sign-out', {}, { authorization: `Bearer ${access_token}` }),
    ],
    ['a new password', 'subject', () => service.issuer.users.setPassword('ada@example.com', 'another good password')],
    ['disabling the user', 'subject', () => service.issuer.users.disable('ada@example.com')],
    ['disabling the client', 'client', () => service.issuer.clients.disable('countersign-cli')],
    [
      'reuse of a refresh token',
      'sid',
      async ({ refresh_token }) => {
        const form = { grant_type: 'refresh_token', refresh_token, client_id: 'countersign-cli' }
        await service.post('/oauth/token', form)
        service.clock.pass(10)
        expect((await service.post('/oauth/token', form)).status).toBe(400)
      },
    ],
    [
      "the operator's word on a session",
      'sid',
      (tokens) => service.issuer.sessions.revoke(String(claimsOf(tokens.access_token).sid)),
    ],
    ["the operator's word on a token", 'jti', ({ access_token }) => service.issuer.revokeToken(access_token)],
    [
      'a compromise of the key',
      'kid',
      async () => {
        const [ring] = service.rings
        await service.issuer.keys.revoke(ring?.signer.kid ?? '', { reason: 'leaked', scope: 'key' })
      },
    ],
  ]
  it.each(entrances)('leads into the log and to an inactive token: %s', async (_how, type, revoke) => {
    const tokens: Signed = await signIn()
    expect((await introspect(tokens.access_token)).active).toBe(true)
    await revoke(tokens)
    expect(await introspect(tokens.access_token)).toEqual({ active: false })

    const entries = (await service.stores.revocations.snapshot()).entries.filter(
      (entry) => entry.type !== 'jti' || !entry.id.startsWith(canaryPrefix),
    )
    expect(entries.map((entry) => entry.type)).toEqual([type])
    const claims = claimsOf(tokens.access_token)
    for (const entry of entries) {
      if ('until' in entry) expect(entry.until).toBeGreaterThanOrEqual(Number(claims.exp) + 120)
    }
    // What a verifier makes of it: the token is revoked by the feed alone.
    await caughtUp()
    const view = createRevocationView()
    await load(view)
    const { kid } = JSON.parse(Buffer.from(tokens.access_token.split('.')[0] ?? '', 'base64url').toString())
    const principal = {
      keyId: kid,
      tokenId: claims.jti,
      session: claims.sid,
      subject: claims.sub,
      clientId: claims.client_id,
      generations: claims.gen,
      ancestors: [],
    }
    expect(view.isRevoked(principal as never)).toBe(true)
    const other = {
      keyId: 'x',
      tokenId: 'y',
      session: 'z',
      subject: 's',
      clientId: 'c',
      generations: [0, 0, 0],
      ancestors: [],
    }
    expect(view.isRevoked(other as never)).toBe(false)
  })
})

describe('GET /revocations', () => {
  it('gives the snapshot, signed by the feed’s own key, and 304 to who has it', async () => {
    const jti = await revokeSomething()
    const answer = await fetchFeed()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/rev-feed')
    expect(answer.headers.get('cache-control')).toBe('public, max-age=1')
    const message = await read(answer.bytes)
    expect(message).toMatchObject({ kind: 'snapshot', head: { issuer: service.url, count: 1, position: { seq: 1 } } })
    expect(new TextDecoder().decode(answer.bytes)).toContain(jti)

    const etag = answer.headers.get('etag') ?? ''
    expect((await fetchFeed('/revocations', { 'if-none-match': etag })).status).toBe(304)
    await revokeSomething()
    expect((await fetchFeed('/revocations', { 'if-none-match': etag })).status).toBe(200)

    const tokenKeys = { issuer: service.url, keys: service.rings[0]?.keys } as never
    await expect(readMessage(answer.bytes, tokenKeys)).rejects.toMatchObject({ code: 'bad_signature' })
  })

  it('gives what came after a position, and proof of freshness when nothing did', async () => {
    await revokeSomething()
    const view = createRevocationView()
    await load(view)
    const jti = await revokeSomething()
    const { bytes } = await fetchFeed('/revocations?after=1')
    const message = await read(bytes)
    if (message.kind !== 'delta') throw new Error(message.kind)
    expect(message.events).toMatchObject([{ seq: 2, change: 'add', entry: { type: 'jti', id: jti } }])
    view.apply(message.head.position.epoch, message.events)
    expect([view.count, view.digest]).toEqual([message.head.count, message.head.digest])

    const nothing = await read((await fetchFeed(`/revocations?epoch=${message.head.position.epoch}&after=2`)).bytes)
    expect(nothing).toMatchObject({ kind: 'delta', after: 2, events: [] })
    service.clock.pass(1)
    const later = await read((await fetchFeed('/revocations?after=2')).bytes)
    expect(later.head.issuedAt).toBeGreaterThan(nothing.head.issuedAt)
  })

  it.each([
    ['a seq that is not reached', 'after=99'],
    ['another epoch', 'epoch=77&after=1'],
  ])('answers %s with 410: only the snapshot helps', async (_what, query) => {
    await revokeSomething()
    expect((await fetchFeed(`/revocations?${query}`)).status).toBe(410)
  })

  it.each([
    'after=x',
    'after=-1',
    'after=1&after=2',
    'after=1e3',
    'before=1',
    'after=01',
    'epoch=1',
    'epoch=x&after=1',
    'after=1&more=1',
  ])('refuses ?%s', async (query) => {
    const response = await fetch(`${service.url}/revocations?${query}`)
    expect([response.status, (await jsonOf(response)).error]).toEqual([400, 'invalid_request'])
  })

  it('signs nothing when the log was not read for 5 s, and says so', async () => {
    await revokeSomething()
    const { after } = service.stores.revocations
    Object.assign(service.stores.revocations, { after: () => Promise.reject(new Error('disk')) })
    const statuses: number[] = []
    for (let second = 0; second < 6; second++) {
      statuses.push((await fetchFeed('/revocations?after=1')).status)
      service.clock.pass(1)
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 503])
    const stale = await fetch(`${service.url}/revocations`)
    expect([stale.status, stale.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await fetch(`${service.url}/revocations/stream`)).status).toBe(503)
    const ready = await fetch(`${service.url}/readyz`)
    expect([ready.status, (await jsonOf(ready)).checks.feed]).toEqual([503, 'failed'])
    expect(service.events).toContainEqual({ type: 'fault', part: 'feed', error: expect.any(Error) })

    Object.assign(service.stores.revocations, { after })
    service.clock.pass(1)
    while (service.issuer.feed?.isFresh === false) await new Promise((done) => setImmediate(done))
    expect((await fetchFeed('/revocations?after=1')).status).toBe(200)
  })

  it('is named in the metadata, with keys of its own', async () => {
    const metadata = await jsonOf(await fetch(`${service.url}/.well-known/oauth-authorization-server`))
    expect(metadata.countersign_revocations_uri).toBe(`${service.url}/revocations`)
    const own = await jsonOf(await fetch(`${service.url}/revocations/jwks.json`))
    expect(own.keys.map((key: { kid: string }) => key.kid)).toEqual([service.feedRing?.signer.kid])
    const tokens = await jsonOf(await fetch(`${service.url}/.well-known/jwks.json`))
    expect(JSON.stringify(tokens)).not.toContain(own.keys[0].kid)
  })

  it('is not there without a feed', async () => {
    const plain = await startService()
    expect((await fetch(`${plain.url}/revocations`)).status).toBe(404)
    expect(plain.issuer.metadata()).not.toHaveProperty('countersign_revocations_uri')
    await plain.close()
  })
})

describe('GET /revocations/stream', () => {
  it('begins with a head, brings what happens at once and a head every second', async () => {
    const stream = await openStream()
    expect((await stream.next()).kind).toBe('head')
    const jti = await revokeSomething()
    const delta = await stream.next()
    expect(delta).toMatchObject({ kind: 'delta', after: 0, events: [{ seq: 1, entry: { type: 'jti', id: jti } }] })
    service.clock.pass(1)
    const head = await stream.next()
    expect(head).toMatchObject({ kind: 'head', head: { position: { seq: 1 }, count: 1 } })
    stream.close()
  })

  it('goes on from Last-Event-ID', async () => {
    await revokeSomething()
    await revokeSomething()
    const { epoch } = service.issuer.feed?.position ?? { epoch: 0 }
    const stream = await openStream({ 'last-event-id': `${epoch}.1` })
    expect(await stream.next()).toMatchObject({ kind: 'delta', after: 1, events: [{ seq: 2 }] })
    stream.close()
    for (const other of [`${epoch}.99`, `${epoch + 1}.1`, 'nonsense']) {
      const lost = await openStream({ 'last-event-id': other })
      expect(await lost.next()).toMatchObject({ kind: 'head', head: { position: { seq: 2 } } })
      lost.close()
    }
  })

  it('takes no more readers than it may, and room again when one leaves', async () => {
    const small = await startService({ feed: true, routes: { maxStreams: 2 } })
    await small.issuer.feed?.started
    const before = service
    service = small
    const [one, two] = [await openStream(), await openStream()]
    const third = await fetch(`${small.url}/revocations/stream`)
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '5'])
    one.close()
    let status = 503
    while (status === 503) {
      const again = await openStream()
      status = again.status ?? 503
      again.close()
    }
    two.close()
    service = before
    await small.close()
  })

  it('cuts a reader that does not read, and no other', async () => {
    let broadcast: (sent: Sent) => void = () => {}
    const feed = {
      subscribe(send: typeof broadcast) {
        broadcast = send
        return () => {}
      },
    } as unknown as RevocationFeed
    const streams = createStreams(feed, { maxStreams: 2, maxWaitingBytes: 100_000 })
    const server = createServer((request, response) => {
      streams.open({ request, response, headers: [] } as unknown as Exchange, 'first\n\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const connect = () =>
      new Promise<IncomingMessage>((resolve) => get({ port, host: '127.0.0.1', agent: false }, resolve))
    const [slow, quick] = [await connect(), await connect()]
    slow.pause().on('error', () => {})
    let received = 0
    quick.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    const sent: Sent = { message: 'x'.repeat(50_000), holds: { epoch: 1, seq: 1 } }
    const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
    for (let round = 1; round < 2_000 && (await connections()) === 2; round++) {
      broadcast(sent)
      // The quick one has it all before the next is sent.
      while (received < round * 50_000) await new Promise((done) => setImmediate(done))
    }
    expect(await connections()).toBe(1)
    expect(quick.destroyed).toBe(false)
    quick.destroy()
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })

  it('ends when the service closes', async () => {
    const own = await startService({ feed: true })
    await own.issuer.feed?.started
    const before = service
    service = own
    const stream = await openStream()
    service = before
    await own.issuer.close()
    await stream.ended
    await own.close()
  })

  it('answers no HEAD, which would never end', async () => {
    expect((await fetch(`${service.url}/revocations/stream`, { method: 'HEAD' })).status).toBe(405)
  })
})

describe('POST /consumers/ack', () => {
  const body = { consumer: 'agent-api', instance: 'pod-1', kids: ['k1'], position: { epoch: 1, seq: 0 } }
  const ack = (headers: Record<string, string>, more: object = {}) =>
    service.postJson('/consumers/ack', { ...body, ...more }, headers)
  let own: { id: string; secret: string }
  beforeEach(async () => {
    own = await service.client({ name: 'agent-api' })
  })
  const bearer = async (client: { id: string; secret: string }, form: Record<string, string> = {}) => {
    const { body } = await service.post('/oauth/token', { grant_type: 'client_credentials', ...form }, as(client))
    return { authorization: `Bearer ${body.access_token}` }
  }

  it('takes the consumer’s word by its secret or by a token of its own', async () => {
    expect((await ack(as(own))).status).toBe(204)
    expect((await ack(await bearer(own), { instance: 'pod-2' })).status).toBe(204)
    expect(await service.issuer.acknowledgements()).toEqual([
      { ...body, at: service.clock.now() },
      { ...body, instance: 'pod-2', at: service.clock.now() },
    ])
    service.clock.pass(91)
    expect(await service.issuer.acknowledgements()).toEqual([])
  })

  it('gives a consumer that only signs people in a token without scopes for itself', async () => {
    const web = await service.client({ name: 'web-api', audiences: ['web-api'] })
    const token = await bearer(web)
    expect((await ack(token, { consumer: 'web-api' })).status).toBe(204)
    const greedy = await service.post(
      '/oauth/token',
      { grant_type: 'client_credentials', scope: 'pages:read' },
      as(web),
    )
    expect(greedy.body.error).toBe('invalid_scope')
    const stranger = await service.client({ name: 'stranger', audiences: ['web-api'] })
    const refused = await service.post('/oauth/token', { grant_type: 'client_credentials' }, as(stranger))
    expect(refused.body.error).toBe('invalid_target')
  })

  it.each<[who: string, headers: () => Promise<Record<string, string>>, more: object, status: number]>([
    ['nobody', async () => ({}), {}, 401],
    ['a wrong secret', async () => ({ authorization: basic('agent-api', 'x') }), {}, 401],
    ['a public client', async () => ({ authorization: basic('countersign-cli', '') }), {}, 401],
    ['another client', async () => as(etl), {}, 403],
    ['another client that may use the consumer, by a token', () => bearer(etl), {}, 403],
    ['a user', async () => ({ authorization: `Bearer ${(await signIn()).access_token}` }), {}, 403],
    ['a made-up token', async () => ({ authorization: 'Bearer a.b.c' }), {}, 401],
    ['the consumer for another', async () => as(own), { consumer: 'analytics-service' }, 403],
    ['the consumer for one that is none', async () => as(own), { consumer: 'nothing' }, 400],
    ['no kids', async () => as(own), { kids: undefined }, 400],
    ['too many kids', async () => as(own), { kids: Array.from({ length: 65 }, () => 'k') }, 400],
    ['a kid that is none', async () => as(own), { kids: ['a b'] }, 400],
    ['a position that is none', async () => as(own), { position: { epoch: -1, seq: 0 } }, 400],
    ['a position that is to come', async () => as(own), { position: { epoch: 1, seq: 1_000 } }, 400],
    ['a position of a log to come', async () => as(own), { position: { epoch: 2, seq: 0 } }, 400],
    ['more than is known', async () => as(own), { more: 1 }, 400],
  ])('refuses %s', async (_who, headers, more, status) => {
    expect((await ack(await headers(), more)).status).toBe(status)
    expect(await service.issuer.acknowledgements()).toEqual([])
  })

  it('refuses a token that was revoked', async () => {
    const token = await bearer(own)
    await service.issuer.clients.disable('agent-api')
    expect((await ack(token)).status).toBe(401)
  })
})
