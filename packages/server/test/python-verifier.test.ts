import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '../src/index.ts'

const guide = new URL('../../../docs/how-to/verify-in-another-language.md', import.meta.url)
const python = '/usr/bin/python3'
const issuer = 'http://127.0.0.1:4600'
const audience = 'billing-worker'

/** Answers each line by the guide's `authorize`, at the instant that the line names. */
const driver = `
import json, sys
from countersign import Refused, Unavailable, Verifier
at = 0
`
const loop = `
for line in sys.stdin:
    asked = json.loads(line)
    at = asked["at"]
    status, said = authorize(asked["authorization"], *asked["scopes"])
    print(json.dumps([status, said if isinstance(said, str) else said["sub"]]), flush=True)
`

interface Verifier {
  /** @param at Unix seconds, for both clocks */
  ask(token: string, scopes?: readonly string[], at?: number): Promise<[status: number, said: string]>
  end(): void
}

let dir: string
const ends: (() => unknown)[] = []

/** The guide's two blocks in a process of their own, with another address in place of the example's. */
async function startVerifier(jwksUrl: string): Promise<Verifier> {
  const text = await readFile(guide, 'utf8')
  const [module = '', use = ''] = [...text.matchAll(/^```python\n(.*?)^```$/gms)].map(([, code = '']) => code)
  const [, rest = ''] = /^verifier = Verifier\([^\n]*\n(.*)$/s.exec(use) ?? []
  expect(rest).toContain('def authorize(')
  const clocks = 'lambda: at, lambda: at'
  const make = `verifier = Verifier("${issuer}", "${audience}", "${jwksUrl}", ${clocks})\n`
  const folder = await mkdtemp(join(dir, 'python-'))
  await writeFile(join(folder, 'countersign.py'), module)
  await writeFile(join(folder, 'main.py'), `${driver}${make}${rest}${loop}`)
  const child: ChildProcess = spawn(python, ['-B', 'main.py'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('no pipes')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const end = (): void => void child.kill()
  ends.push(end)
  return {
    end,
    async ask(token, scopes = [], at = Date.now() / 1000) {
      stdin.write(`${JSON.stringify({ authorization: `Bearer ${token}`, scopes, at })}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error('the Python process ended')
      return JSON.parse(line.value)
    },
  }
}

async function listen(answer: RequestListener): Promise<string> {
  const server: Server = createServer(answer).listen(0, '127.0.0.1')
  ends.push(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-python-'))
})
afterAll(async () => {
  for (const end of ends.splice(0)) await end()
  await rm(dir, { recursive: true })
})

describe('the guide’s verifier and a real token service', () => {
  let verifier: Verifier
  let good: string
  let forOthers: string
  let foreign: string
  let x: string

  async function startService(): Promise<RunningTokenService> {
    const consumers = {
      [audience]: { scopes: ['jobs:run', 'jobs:read'], obtainedBy: 'client-credentials' },
      reports: { scopes: ['jobs:run'], obtainedBy: 'client-credentials' },
    } as const
    const config = await resolveConfig(
      { issuer, port: 0, consumers, metrics: false, log: { level: 'silent' } },
      { baseDir: await mkdtemp(join(dir, 'service-')) },
    )
    await createDataDir(config)
    const service = await startTokenService(config)
    ends.push(() => service.close())
    return service
  }

  async function tokenOf(service: RunningTokenService, name: string, target: string): Promise<string> {
    const { client, secret } = await service.issuer.clients.add({
      name,
      grants: ['client_credentials'],
      audiences: [audience, 'reports'],
    })
    const answer = await fetch(`${service.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client.id}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', audience: target, scope: 'jobs:run' }),
    })
    return ((await answer.json()) as { access_token: string }).access_token
  }

  beforeAll(async () => {
    const [service, other] = await Promise.all([startService(), startService()])
    good = await tokenOf(service, 'etl', audience)
    forOthers = await tokenOf(service, 'other-etl', 'reports')
    foreign = await tokenOf(other, 'etl', audience)
    const jwksUrl = `${service.url}/.well-known/jwks.json`
    const { keys } = (await (await fetch(jwksUrl)).json()) as { keys: { kid: string; x: string }[] }
    const { kid } = JSON.parse(Buffer.from(good.split('.')[0] ?? '', 'base64url').toString())
    x = keys.find((key) => key.kid === kid)?.x ?? ''
    verifier = await startVerifier(jwksUrl)
  })

  it('admits a token with its scope', async () => {
    const [status, said] = await verifier.ask(good, ['jobs:run'])
    expect([status, said.slice(0, 7)]).toEqual([200, 'client_'])
  })

  it('refuses a scope that the token does not have by 403', async () => {
    expect(await verifier.ask(good, ['jobs:run', 'jobs:read'])).toEqual([403, 'insufficient_scope'])
  })

  const withHeader = (change: object, signed?: (input: string) => string): string => {
    const [head = '', body, signature = ''] = good.split('.')
    const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...change }
    const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${body}`
    return `${input}.${signed?.(input) ?? signature}`
  }
  const altered = (segment: number): string => {
    const parts = good.split('.')
    const text = parts[segment] ?? ''
    parts[segment] = `${text.slice(0, 20)}${text[20] === 'A' ? 'B' : 'A'}${text.slice(21)}`
    return parts.join('.')
  }
  const hmac = (input: string): string =>
    createHmac('sha256', Buffer.from(x, 'base64url')).update(input).digest('base64url')

  it.each<[what: string, reason: string, token: () => string]>([
    ["another issuer's token of the same name", 'unknown_key', () => foreign],
    ['a token for another audience', 'wrong_audience', () => forOthers],
    ['an altered payload', 'bad_signature', () => withPayload(good, { scope: 'jobs:run jobs:read' })],
    ['an altered signature', 'bad_signature', () => altered(2)],
    ['alg none', 'unsupported_alg', () => withHeader({ alg: 'none' })],
    ['alg none and no signature', 'malformed', () => withHeader({ alg: 'none' }, () => '')],
    ['the public key as a secret', 'unsupported_alg', () => withHeader({ alg: 'HS256' }, hmac)],
    ['an unknown kid', 'unknown_key', () => withHeader({ kid: 'nobody' })],
  ])('refuses %s', async (_what, reason, token) => {
    expect(await verifier.ask(token(), ['jobs:run'])).toEqual([401, reason])
  })

  it('refuses what has expired, and what is from tomorrow', async () => {
    const { iat, exp } = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString())
    expect((await verifier.ask(good, [], exp + 4.9))[0]).toBe(200)
    expect(await verifier.ask(good, [], exp + 5)).toEqual([401, 'expired'])
    expect(await verifier.ask(good, [], iat - 5.1)).toEqual([401, 'not_yet_valid'])
  })
})

function withPayload(token: string, change: object): string {
  const [head, body = '', signature] = token.split('.')
  const claims = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), ...change }
  return `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
}

describe('the guide’s verifier and what somebody with a key would send', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'ours', alg: 'EdDSA', use: 'sig' }
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  const encode = (value: unknown): string => Buffer.from(text(value)).toString('base64url')

  function made(claims: unknown, header: unknown = {}, key: KeyObject = privateKey): string {
    const whole = typeof header === 'string' ? header : { alg: 'EdDSA', typ: 'at+jwt', kid: 'ours', ...Object(header) }
    const input = `${encode(whole)}.${encode(claims)}`
    return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
  }
  const now = Math.floor(Date.now() / 1000)
  const usual = {
    ...{ iss: issuer, aud: audience, sub: 'user_1', client_id: 'client_1', jti: 'token-1', scope: 'jobs:run' },
    ...{ iat: now, exp: now + 600 },
  }
  const but = (change: object): string => made({ ...usual, ...change })

  let verifier: Verifier
  beforeAll(async () => {
    const others = [
      { kty: 'EC', crv: 'P-256', kid: 'p', x: 'A', y: 'A' },
      { ...jwk, kid: 'sealing', use: 'enc' },
    ]
    verifier = await startVerifier(await listen((_, answer) => answer.end(JSON.stringify({ keys: [...others, jwk] }))))
  })

  it('admits what is as it should be', async () => {
    expect(await verifier.ask(made(usual), ['jobs:run'])).toEqual([200, 'user_1'])
  })

  it.each<[what: string, reason: string, token: string]>([
    ['an ID token', 'wrong_type', made(usual, { typ: 'JWT' })],
    ['no type', 'wrong_type', made(usual, { typ: undefined })],
    ['an extension that must be understood', 'unsupported_alg', made(usual, { crit: ['b64'], b64: false })],
    ['no kid', 'unknown_key', made(usual, { kid: undefined })],
    ['a kid that is none', 'unknown_key', made(usual, { kid: ['ours'] })],
    ['a key that is not for signatures', 'unknown_key', made(usual, { kid: 'sealing' })],
    ['a key of its own', 'bad_signature', made(usual, { jwk }, generateKeyPairSync('ed25519').privateKey)],
    ['another issuer', 'wrong_issuer', but({ iss: `${issuer}/` })],
    ['several audiences', 'wrong_audience', but({ aud: [audience] })],
    ['no end', 'bad_claims', but({ exp: undefined })],
    ['an end in words', 'bad_claims', but({ exp: String(now + 600) })],
    ['an end that is true', 'bad_claims', but({ exp: true })],
    ['an end that is no number', 'bad_claims', made(JSON.stringify({ ...usual, exp: 0 }).replace(':0}', ':NaN}'))],
    ['no beginning', 'bad_claims', but({ iat: undefined })],
    ['a life of a day', 'bad_claims', but({ exp: now + 86_400 })],
    ['a life backwards', 'bad_claims', but({ exp: now - 1 })],
    ['a beginning ahead', 'not_yet_valid', but({ nbf: now + 3600 })],
    ['a beginning that is null', 'bad_claims', but({ nbf: null })],
    ['nobody', 'bad_claims', but({ sub: '' })],
    ['a line in a name', 'bad_claims', but({ sub: 'user_1\n' })],
    ['no client', 'bad_claims', but({ client_id: undefined })],
    ['a bound token', 'proof_required', but({ cnf: { jkt: 'x' } })],
    ['a list of scopes', 'bad_claims', but({ scope: ['jobs:run'] })],
    ['no scopes', 'insufficient_scope', but({ scope: undefined })],
    ['half a scope', 'insufficient_scope', but({ scope: 'jobs:runner' })],
    ['a claim twice', 'malformed', made(`${JSON.stringify(usual).slice(0, -1)},"sub":"user_2"}`)],
    ['claims that are a list', 'malformed', made([usual])],
    ['claims that are too deep', 'malformed', made('['.repeat(5000))],
    ['UTF-16', 'malformed', made(Buffer.from(JSON.stringify(usual), 'utf16le').toString('latin1'))],
    ['more than 8 KiB', 'malformed', but({ more: 'x'.repeat(8192) })],
    ['padding', 'malformed', `${made(usual)}==`],
    ['a line at the end', 'malformed', `${made(usual)}\n`],
    ['loose bits at the end', 'malformed', made(usual).replace(/.$/, (last) => (last === 'B' ? 'C' : 'B'))],
    ['nothing', 'malformed', ''],
  ])('refuses %s', async (_what, reason, token) => {
    const status = reason === 'insufficient_scope' ? 403 : 401
    expect(await verifier.ask(token, ['jobs:run'])).toEqual([status, reason])
  })

  it('keeps the keys by max-age, asks for a new one, and goes on when the endpoint is away', async () => {
    const next = generateKeyPairSync('ed25519')
    let keys: object[] = [jwk]
    let status = 200
    let asked = 0
    const url = await listen((_, answer) => {
      asked++
      answer.writeHead(status, { 'cache-control': 'public, max-age=120', age: '20' }).end(JSON.stringify({ keys }))
    })
    const own = await startVerifier(url)
    const long = but({ exp: now + 7200 })
    const seen = async (token: string, offset: number) => [...(await own.ask(token, [], now + offset)), asked]

    expect(await seen(long, 0)).toEqual([200, 'user_1', 1])
    expect(await seen(long, 95)).toEqual([200, 'user_1', 1])
    expect(await seen(long, 105)).toEqual([200, 'user_1', 2])
    // Made-up kids lead to one request in 30 s.
    for (const kid of ['a', 'b', 'c']) expect((await seen(made(usual, { kid }), 110))[1]).toBe('unknown_key')
    expect(asked).toBe(2)
    keys = [jwk, { ...next.publicKey.export({ format: 'jwk' }), kid: 'next', alg: 'EdDSA', use: 'sig' }]
    expect(await seen(made(usual, { kid: 'next' }, next.privateKey), 140)).toEqual([200, 'user_1', 3])
    status = 503
    expect(await seen(long, 300)).toEqual([200, 'user_1', 4])
    expect(await seen(made(usual, { kid: 'newer' }), 301)).toEqual([503, 'keys_unavailable', 4])
    expect(await seen(long, 90_000)).toEqual([503, 'keys_unavailable', 5])
  })

  it.each<[what: string, answer: RequestListener]>([
    ['another status', (_, answer) => answer.writeHead(500).end(JSON.stringify({ keys: [jwk] }))],
    ['what is too large', (_, answer) => answer.end(JSON.stringify({ keys: [jwk], more: 'x'.repeat(65_536) }))],
    ['no JWKS', (_, answer) => answer.end('<html>')],
    [
      'a redirect',
      ({ url }, answer) => {
        if (url === '/else') answer.end(JSON.stringify({ keys: [jwk] }))
        else answer.writeHead(302, { location: '/else' }).end()
      },
    ],
  ])('takes no keys from %s, and says 503', async (_what, answer) => {
    const own = await startVerifier(await listen(answer))
    expect(await own.ask(made(usual))).toEqual([503, 'keys_unavailable'])
    own.end()
  })

  it.each(['http://auth.example.com/jwks.json', 'file:///etc/jwks.json', 'http://127.0.0.1.example.com/'])(
    'does not start with %s',
    async (url) => {
      const [, module = ''] = /^```python\n(.*?)^```$/ms.exec(await readFile(guide, 'utf8')) ?? []
      const child = spawn(python, ['-c', `${module}\nVerifier("i", "a", "${url}")`], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      child.stderr.on('data', (chunk) => {
        said += chunk
      })
      const [status] = await once(child, 'close')
      expect([status, said]).toEqual([1, expect.stringContaining('jwks_url must be https')])
    },
  )
})
