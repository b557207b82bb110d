import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FeedMessage, readMessage } from '@countersign/revocation'
import { openSqlite } from '@countersign/storage/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createDataDir,
  openTokenService,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  startTokenService,
  type TokenServiceParts,
} from '../src/index.ts'

const input = {
  issuer: 'http://127.0.0.1:4600',
  port: 0,
  consumers: {
    'agent-api': { scopes: ['agents:read'], obtainedBy: ['sign-in', 'client-credentials'], refresh: 'body' },
    'old-service': { scopes: ['old:read'], obtainedBy: 'client-credentials', algorithm: 'ES256' },
  },
  metrics: false,
} as const
const password = 'correct horse battery staple'

let dir: string
let config: ResolvedConfig
const running: { close(): Promise<void> }[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-server-'))
  config = await resolveConfig(input, { baseDir: dir })
  await createDataDir(config)
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  for (const part of running.splice(0).reverse()) await part.close()
  await rm(dir, { recursive: true })
})

async function start(): Promise<RunningTokenService> {
  const service = await startTokenService(config, { logDestination: { write: () => {} } })
  running.push(service)
  await service.issuer.feed?.started
  return service
}

/** As a command does, beside the running service. */
async function open(): Promise<TokenServiceParts> {
  const parts = await openTokenService(config)
  running.push(parts)
  return parts
}

/** @param now Unix seconds, which it stays for it */
async function serve(now: number): Promise<string> {
  const script = fileURLToPath(new URL('./children/serve.ts', import.meta.url))
  const child = fork(script, [JSON.stringify(input), dir, `${now}`], { execArgv: [] })
  children.push(child)
  const [message] = await once(child, 'message')
  return (message as { url: string }).url
}

async function addAda({ issuer }: TokenServiceParts): Promise<void> {
  await issuer.users.add({ identifier: 'ada', password })
  await issuer.clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
}

async function readLog() {
  const database = await openSqlite(config.databaseFile)
  try {
    return await database.stores.issuer.revocations.snapshot()
  } finally {
    await database.close()
  }
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

async function signIn(url: string): Promise<Tokens> {
  const response = await fetch(`${url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'web' }),
  })
  expect(response.status).toBe(200)
  return (await response.json()) as Tokens
}

async function refresh(url: string, token: string): Promise<{ status: number; body: Partial<Tokens> }> {
  const form = { grant_type: 'refresh_token', refresh_token: token, client_id: 'web' }
  const response = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, body: (await response.json()) as Partial<Tokens> }
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** The messages of a stream, one after the other. */
async function* follow(service: RunningTokenService, signal: AbortSignal): AsyncGenerator<FeedMessage> {
  const response = await fetch(`${service.url}/revocations/stream`, { signal })
  let text = ''
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString()
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5))
      yield await readMessage(data.join('\n'), { issuer: config.issuer, keys: service.feedRing.keys })
    }
  }
}

async function nextDelta(messages: AsyncGenerator<FeedMessage>): Promise<Extract<FeedMessage, { kind: 'delta' }>> {
  for (;;) {
    const { value } = await messages.next()
    if (value?.kind === 'delta') return value
  }
}

describe('a revocation by a command beside the running service', () => {
  it('comes out of the service’s stream', async () => {
    const service = await start()
    await addAda(service)
    const { access_token } = await signIn(service.url)
    const stop = new AbortController()
    const messages = follow(service, stop.signal)
    expect((await messages.next()).value).toMatchObject({ kind: 'head' })

    const operator = await open()
    const sid = String(claimsOf(access_token).sid)
    expect(await operator.issuer.sessions.revoke(sid)).toBe(true)
    const { events } = await nextDelta(messages)
    expect(events).toMatchObject([{ change: 'add', entry: { type: 'sid', id: sid } }])
    stop.abort()
  })

  it('of a key reaches the stream with the key that signs instead, once', async () => {
    const service = await start()
    await addAda(service)
    await signIn(service.url)
    const stop = new AbortController()
    const messages = follow(service, stop.signal)
    await messages.next()

    const operator = await open()
    const [ring] = operator.rings.filter(({ algorithm }) => algorithm === 'EdDSA')
    const before = ring?.signer.kid ?? ''
    const radius = await operator.issuer.keys.blastRadius(before, 'key')
    expect(radius.live).toMatchObject([{ kid: before, audience: 'agent-api', tokens: 1 }])
    const { revoked } = await operator.issuer.keys.revoke(before, { reason: 'laptop stolen', scope: 'key' })
    const after = revoked[0]?.activeKid ?? ''
    expect(revoked).toMatchObject([{ ring: 'tokens', revokedKids: [before] }])

    const { events } = await nextDelta(messages)
    expect(events).toMatchObject([{ entry: { type: 'kid', id: before, successor: { kid: after } } }])
    const { position } = await readLog()
    expect(position.seq).toBe(1)
    stop.abort()
  })

  it('of the whole store takes every ring with it, the feed’s own too, but that one not into the feed', async () => {
    const operator = await open()
    const rings = [...operator.rings, operator.feedRing]
    const before = rings.map((ring) => ring.signer.kid)
    const { revoked } = await operator.issuer.keys.revoke(before[0] ?? '', { reason: 'disk stolen' })
    expect(revoked.map(({ ring }) => ring).sort()).toEqual(['feed', 'tokens', 'tokens-es256'])
    for (const [i, ring] of rings.entries()) expect(ring.signer.kid).not.toBe(before[i])
    const { entries } = await readLog()
    expect(entries.map((entry) => 'id' in entry && entry.id).sort()).toEqual(before.slice(0, 2).sort())
    const successors = entries.map((entry) => entry.type === 'kid' && entry.successor?.kid)
    expect(successors.sort()).toEqual(operator.rings.map((ring) => ring.signer.kid).sort())
  })
})

describe('streams', () => {
  it('are as many as the configuration allows', async () => {
    config = await resolveConfig({ ...input, revocations: { maxStreams: 2 } }, { baseDir: dir })
    const { url } = await start()
    const abort = new AbortController()
    const open = () => fetch(`${url}/revocations/stream`, { signal: abort.signal })
    try {
      expect([(await open()).status, (await open()).status, (await open()).status]).toEqual([200, 200, 503])
      expect((await fetch(`${url}/.well-known/jwks.json`)).status).toBe(200)
    } finally {
      abort.abort()
    }
  })
})

describe('acknowledgements', () => {
  it('hold an activation up until the consumer has the key', async () => {
    const operator = await open()
    const { client, secret } = await operator.issuer.clients.add({
      name: 'agent-api',
      audiences: ['agent-api'],
      grants: ['client_credentials'],
    })
    const [ring] = operator.rings.filter(({ name }) => name === 'tokens')
    await ring?.rotate()
    const standby = ring?.status().keys.find(({ state }) => state === 'published')?.kid ?? ''
    const acknowledge = (kids: readonly string[]) =>
      operator.issuer.acknowledge({
        client: { method: 'client_secret_basic', clientId: client.id, secret: secret ?? '' },
        acknowledgement: { consumer: 'agent-api', instance: 'one', kids, position: { epoch: 1, seq: 0 } },
      })
    await acknowledge([])
    expect(await ring?.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
    await acknowledge([ring?.signer.kid ?? ''])
    expect(await ring?.rotate()).toMatchObject({ done: false, waitingFor: ['propagation', 'agent-api'] })
    await acknowledge([standby])
    expect(await ring?.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
  })
})

describe('50 refreshes of one token at once, in two processes', () => {
  it('end with one successor and the session alive, round after round', async () => {
    const operator = await open()
    await addAda(operator)
    const now = Math.floor(Date.now() / 1000)
    const urls = [await serve(now), await serve(now)]
    let { refresh_token } = await signIn(urls[0] ?? '')
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => refresh(urls[i % 2] ?? '', refresh_token)))
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      const successors = new Set(answers.map(({ body }) => body.refresh_token))
      expect(successors.size).toBe(1)
      refresh_token = [...successors][0] ?? ''
    }
    expect(await operator.issuer.sessions.list('ada')).toMatchObject([{ endedAt: null }])
  })

  it('and a thief’s among them ends it for both', async () => {
    const operator = await open()
    await addAda(operator)
    await operator.issuer.clients.add({
      name: 'thief',
      type: 'public',
      grants: ['sign_in', 'refresh_token'],
      audiences: ['agent-api'],
    })
    const now = Math.floor(Date.now() / 1000)
    const urls = [await serve(now), await serve(now)]
    const { refresh_token } = await signIn(urls[0] ?? '')
    await refresh(urls[0] ?? '', refresh_token)
    const form = { grant_type: 'refresh_token', refresh_token, client_id: 'thief' }
    const stolen = await fetch(`${urls[1]}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) })
    expect(stolen.status).toBe(400)
    expect(await operator.issuer.sessions.list('ada')).toMatchObject([{ endReason: 'refresh_reused' }])
    expect((await refresh(urls[1] ?? '', refresh_token)).status).toBe(400)
  })
})
