import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, staticKeys, type TokenSigner } from '@countersign/tokens'
import { type DpopKey, generateDpopKey, importDpopKey, memoryUsedProofs } from '@countersign/tokens/dpop'
import { type TestClock, testClock } from '@countersign-tooling/clock'
import { type Fetch, type KeyStore, pairRunner } from '../src/node/runner/index.ts'
import {
  type Approver,
  createRunnerTokens,
  type Grants,
  memoryRunnerStore,
  type RunnerAuditEntry,
  type RunnerClaims,
  type RunnerNeed,
  type RunnerTokens,
  type RunnerTokensOptions,
  runnerProfile,
  runnerSigner,
} from '../src/runner/index.ts'
import { atEnd, type ClerkWorld, clerkWorld } from './clerk-world.ts'
import { type RunnerCalls, runnerCalls } from './runner-calls.ts'

export const audience = 'runner-api'
const issuer = 'https://app.convex.cloud'

/** A key in memory, as a keychain would have it. */
export function memoryKeys(): KeyStore {
  let kept: Awaited<ReturnType<KeyStore['load']>>
  return {
    load: async () => kept,
    save: async (key) => {
      kept = key
    },
  }
}

export interface RunnerWorld extends ClerkWorld, RunnerCalls {
  readonly clock: TestClock
  readonly runners: RunnerTokens
  readonly audit: RunnerAuditEntry[]
  readonly ada: Approver
  /** `http://127.0.0.1:…/runner`. */
  readonly url: string
  readonly origin: string
  /** What ada may do; changed by tests. */
  readonly grants: Map<string, Grants>
  /** What routes ask for. */
  readonly need: { current: RunnerNeed }
  readonly signer: TokenSigner
  readonly options: RunnerTokensOptions
  outage: 'none' | 'cut' | 'unavailable'
  /** Requests that came, by path. */
  readonly requests: string[]
  pair(keys?: KeyStore, name?: string, scopes?: readonly string[]): ReturnType<typeof pairRunner>
  forge(claims: Partial<RunnerClaims>, life?: number): Promise<string>
  lastRefusal(): string | undefined
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-runner-'))
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The web's request and response over a real socket. */
async function bridge(
  request: IncomingMessage,
  response: ServerResponse,
  origin: string,
  answer: (request: Request) => Promise<Response>,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(request.headersDistinct)) {
    for (const value of values) headers.append(name, value)
  }
  const body = chunks.length === 0 ? null : Buffer.concat(chunks)
  const web = new Request(`${origin}${request.url}`, { method: request.method ?? 'GET', headers, body })
  const answered = await answer(web)
  response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(await answered.text())
}

export async function runnerWorld(): Promise<RunnerWorld> {
  const clock = testClock()
  const clerk = await clerkWorld({ clock })
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer: TokenSigner = {
    kid: 'deployment',
    algorithm: 'ES256',
    sign: async (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
  const keys = staticKeys({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'deployment', alg: 'ES256' }] })
  const grants = new Map<string, Grants>([
    [
      `${clerk.userId} ${clerk.organizationId}`,
      { scopes: ['jobs:run', 'jobs:read', 'repo:push'], workspaces: ['ws_1'] },
    ],
  ])
  const audit: RunnerAuditEntry[] = []
  const need = { current: { scopes: ['jobs:run'] } as RunnerNeed }
  const requests: string[] = []
  const state: { outage: RunnerWorld['outage']; runners?: RunnerTokens } = { outage: 'none' }

  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (state.outage === 'cut') return void request.socket.destroy()
    if (state.outage === 'unavailable') return void response.writeHead(503).end()
    const answer = async (web: Request): Promise<Response> => {
      const { runners } = state
      if (runners === undefined) return new Response(null, { status: 500 })
      if (new URL(web.url).pathname.startsWith('/runner/')) return await runners.handle(web)
      const decision = await runners.admit(web, need.current)
      if (!decision.admitted) return decision.response
      return Response.json({ subject: decision.principal.subject, runner: decision.principal.runner.name })
    }
    bridge(request, response, origin, answer).catch(() => response.writeHead(500).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const url = `${origin}/runner`
  const options: RunnerTokensOptions = {
    url,
    verificationUrl: 'https://app.example.com/pair',
    sign: runnerSigner({ issuer, signer, clock }),
    tokens: createVerifier({ issuer, audience, keys, profile: runnerProfile, clock }),
    sessions: clerk.verifier(),
    grants: async (person, organization) => grants.get(`${person} ${organization}`),
    store: memoryRunnerStore(),
    usedProofs: memoryUsedProofs({ clock }),
    audit: async (entry) => void audit.push(entry),
    clock,
  }
  const runners = createRunnerTokens(options)
  state.runners = runners
  const ada = { person: clerk.userId, organization: clerk.organizationId }

  return {
    ...clerk,
    clock,
    runners,
    audit,
    ada,
    url,
    origin,
    grants,
    need,
    signer,
    options,
    get outage() {
      return state.outage
    },
    set outage(outage) {
      state.outage = outage
    },
    requests,
    pair: async (store = memoryKeys(), name = 'builder', scopes = ['jobs:run', 'jobs:read']) => {
      let shown = (_code: string): void => {}
      const code = new Promise<string>((resolve) => {
        shown = resolve
      })
      const fetchNow: Fetch = (to, init) => fetch(to, init)
      const pairing = pairRunner({
        url,
        name,
        scopes,
        keys: store,
        clock,
        fetch: fetchNow,
        onCode: (c) => shown(c.userCode),
      })
      await runners.approve(ada, await Promise.race([code, pairing.then(() => '')]), 'ws_1')
      return await inTime(clock, pairing)
    },
    ...runnerCalls(url, clock),
    forge: (claims, life = 600) => runnerSigner({ issuer, signer, clock })(claims as RunnerClaims, life),
    lastRefusal: () => audit.findLast((entry) => entry.type === 'refused')?.code,
  }
}

/** Waits for what is under way, however slow the machine. */
export async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !holds(); ) {
    if (performance.now() > end) throw new Error('What was waited for did not happen.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Lets time pass until `work` is done: each pause of it as soon as it has begun, and none while a request is on its way. */
export async function inTime<Result>(clock: TestClock, work: Promise<Result>): Promise<Result> {
  let isDone = false
  const end = (): void => {
    isDone = true
  }
  work.then(end, end)
  while (!isDone) {
    await until(() => isDone || clock.timers > 0)
    if (!isDone) await clock.pass(5)
  }
  return await work
}

/** A paired runner of the seed's kind: its key, and a token of it. */
export async function pairedRunner(
  world: RunnerWorld,
  name = 'builder',
): Promise<{ key: DpopKey; token: string; id: string }> {
  const store = memoryKeys()
  const { runner } = await world.pair(store, name)
  const key = await importDpopKey(await store.load())
  const { body } = await world.askUnattended(key)
  return { key, token: body.access_token, id: runner }
}

export async function newKey(algorithm?: DpopKey['algorithm']): Promise<DpopKey> {
  return await importDpopKey(await generateDpopKey(algorithm))
}
