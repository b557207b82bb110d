import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuard } from '@countersign/guard'
import type { Clock } from '@countersign/tokens'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { config, createMiddleware } from '../next-shaped/middleware.ts'
import { createRoute } from '../next-shaped/route.ts'
import { makeConfig, type RigService, startRigService } from '../rig/token-service.ts'
import { Traffic } from '../rig/traffic.ts'

let seconds: number
const clock: Clock = { now: () => seconds, monotonicMs: () => seconds * 1000, after: () => () => {} }
let directory: string
let rig: RigService
const cleanUp: (() => unknown)[] = []

beforeEach(async () => {
  seconds = 1_800_000_000
  directory = await mkdtemp(join(tmpdir(), 'countersign-next-'))
  rig = await startRigService(directory, await makeConfig(), clock)
})
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
  await rig.service.close()
  await rm(directory, { recursive: true })
})

/** As Next.js serves: a web `Request` to the middleware if its matcher has the path, then to the route. */
async function startNextShaped(): Promise<string> {
  // Keys are what is tried here; the time of revocation news is not the one that leaps.
  const options = { issuer: rig.config.issuer, audience: 'agent-api', revocations: false, clock } as const
  // Each is bundled for itself, with keys of its own.
  const middleware = createMiddleware(createGuard(options))
  const route = createRoute(createGuard(options))
  const matches = new RegExp(`^${config.matcher.replace(':path*', '.*')}$`)
  async function serve(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const stopped = matches.test(pathname) ? await middleware(request) : undefined
    return stopped ?? (pathname === '/api/agents' ? await route.GET(request) : new Response('a page'))
  }
  const server = createServer((incoming, outgoing) => {
    const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => [name, one] as [string, string]),
    )
    serve(new Request(`http://${incoming.headers.host}${incoming.url}`, { headers }))
      .then(async (answer) => {
        outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
      })
      .catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

it('a middleware and a route handler take every valid token through a rotation', async () => {
  const app = await startNextShaped()
  const [ring] = rig.service.rings
  if (ring === undefined) throw new Error('no ring')
  const traffic = new Traffic({
    issuer: rig.config.issuer,
    verifiersUrl: app,
    credentials: rig.credentials,
    now: clock.now,
    propagationSeconds: ring.policy.propagationSeconds,
  })
  cleanUp.push(() => traffic.close())
  const ask = async (token: string) => {
    const answer = await fetch(`${app}/api/agents`, { headers: { authorization: `Bearer ${token}` } })
    return [answer.status, await answer.json()]
  }
  const welcome = [200, { for: rig.credentials.id }]
  const live: { token: string; expiresAt: number }[] = []
  let asked = 0
  async function exchange(): Promise<string> {
    await traffic.look()
    const { token, kid } = await traffic.issue()
    live.push({ token, expiresAt: seconds + 600 })
    for (const one of live) {
      if (one.expiresAt <= seconds) continue
      expect(await ask(one.token), `a token of ${kid} after ${seconds - 1_800_000_000} s`).toEqual(welcome)
      asked += 1
    }
    return kid
  }
  async function pass(more: number): Promise<void> {
    seconds += more
    await ring?.resume()
  }

  const first = await exchange()
  for (let step = 0; step < 28; step += 1) {
    await pass(145)
    expect(await exchange()).toBe(first)
  }
  await ring.rotate()
  expect(ring.status().activeKid).not.toBe(first)
  expect(await exchange()).not.toBe(first)
  // To the withdrawal of the old key and beyond.
  for (let step = 0; step < 20; step += 1) {
    await pass(145)
    await exchange()
  }
  expect(ring.status().keys[0]?.state).toBe('retired')
  expect(traffic.tally.signedUnpublished).toBe(0)
  expect(asked).toBeGreaterThan(150)

  const old = live[0]?.token ?? ''
  expect(await ask(old)).toEqual([401, expect.objectContaining({ error: 'invalid_token' })])
  expect((await fetch(`${app}/api/agents`)).status).toBe(401)
  expect(await (await fetch(`${app}/about`)).text()).toBe('a page')
})
