import { afterEach, describe, expect, it } from 'vitest'
import { basic, password, type Service, type ServiceOptions, signInBody, startService, withAda } from './service.ts'

let service: Service
afterEach(() => service.close())

async function start(options: ServiceOptions = {}): Promise<void> {
  service = await startService(options)
  await withAda(service)
}
const behindProxy: ServiceOptions = { routes: { trustedProxyHops: 1 } }

async function signIn(fields: Record<string, unknown> = {}, forwarded?: string): Promise<number> {
  const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return (await service.postJson('/auth/sign-in', signInBody(fields), headers)).status
}
const wrong = { secret: 'a wrong password' }

describe('failed sign-ins', () => {
  it('are answered five times a minute, then 429 with Retry-After, even for the right password', async () => {
    await start()
    const statuses = []
    for (let attempt = 0; attempt < 7; attempt += 1) statuses.push(await signIn(wrong))
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429, 429])
    const blocked = await service.postJson('/auth/sign-in', signInBody())
    expect([blocked.status, blocked.body.error, blocked.headers.get('retry-after')]).toEqual([
      429,
      'rate_limited',
      '60',
    ])
    service.clock.pass(60)
    expect(await signIn()).toBe(200)
  })

  it('double the wait with each further failure, to a quarter of an hour', async () => {
    await start()
    for (let attempt = 0; attempt < 5; attempt += 1) await signIn(wrong)
    const waits: number[] = []
    for (let round = 0; round < 6; round += 1) {
      const blocked = await service.postJson('/auth/sign-in', signInBody(wrong))
      const wait = Number(blocked.headers.get('retry-after'))
      waits.push(wait)
      service.clock.pass(wait)
      expect(await signIn(wrong)).toBe(400)
    }
    expect(waits).toEqual([60, 120, 240, 480, 900, 900])
  })

  it('count for an account whatever the address', async () => {
    await start(behindProxy)
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) statuses.push(await signIn(wrong, `192.0.2.${attempt}`))
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429])
  })

  it('count for an account whatever its spelling', async () => {
    await start(behindProxy)
    const spellings = [
      'ada@example.com',
      'ADA@example.com',
      ' ada@example.com',
      'ａda@example.com',
      'Ada@Example.com',
      'adA@example.com',
    ]
    const statuses = []
    for (const [at, identifier] of spellings.entries())
      statuses.push(await signIn({ ...wrong, identifier }, `192.0.2.${at}`))
    expect(statuses.at(-1)).toBe(429)
  })

  it('count for an account that does not exist just the same', async () => {
    await start(behindProxy)
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      statuses.push(await signIn({ identifier: 'nobody@example.com' }, `192.0.2.${attempt}`))
    }
    expect(statuses.at(-1)).toBe(429)
  })

  it('count for an address whatever the account', async () => {
    await start()
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) statuses.push(await signIn({ identifier: `user-${attempt}` }))
    expect(statuses.at(-1)).toBe(429)
    expect(service.events.filter(({ type }) => type === 'rate_limited')).toEqual([
      { type: 'rate_limited', limit: 'address', counted: '127.0.0.1' },
    ])
    // Whoever reads the log sees whence the guesses came.
    expect(service.events.filter(({ type }) => type === 'sign_in_failed')[0]).toMatchObject({ address: '127.0.0.1' })
  })

  it('are not forgotten by the address when one of them succeeds', async () => {
    await start()
    for (let attempt = 0; attempt < 4; attempt += 1) await signIn({ identifier: `user-${attempt}` })
    expect(await signIn()).toBe(200)
    expect(await signIn({ identifier: 'user-5' })).toBe(400)
    expect(await signIn({ identifier: 'user-6' })).toBe(429)
  })

  it('are forgotten by the account when its owner signs in', async () => {
    await start(behindProxy)
    for (let attempt = 0; attempt < 4; attempt += 1) await signIn(wrong, `192.0.2.${attempt}`)
    expect(await signIn({}, '192.0.2.9')).toBe(200)
    for (let attempt = 10; attempt < 14; attempt += 1) expect(await signIn(wrong, `192.0.2.${attempt}`)).toBe(400)
  })

  it('that arrive all at once are still looked at five times only', async () => {
    await start(behindProxy)
    const statuses = await Promise.all(Array.from({ length: 30 }, (_, at) => signIn(wrong, `192.0.2.${at}`)))
    expect(statuses.filter((status) => status === 400)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(25)
  })

  it('that arrive all at once from one address are looked at ten times at most', async () => {
    await start()
    const statuses = await Promise.all(Array.from({ length: 40 }, (_, at) => signIn({ identifier: `user-${at}` })))
    expect(statuses.filter((status) => status === 400).length).toBeLessThanOrEqual(10)
    expect(new Set(statuses)).toEqual(new Set([400, 429]))
  })
})

describe('the address', () => {
  it('is not what a header says when no proxy is trusted', async () => {
    await start()
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      statuses.push(await signIn({ identifier: `user-${attempt}` }, `192.0.2.${attempt}`))
    }
    expect(statuses.at(-1)).toBe(429)
  })

  it.each([
    ['prepends inventions', (at: number) => `10.0.0.${at}, 192.0.2.1`],
    ['rotates addresses of one /64', (at: number) => `2001:db8:1:2:${at}::1`],
    ['spells an IPv4 address in other ways', (at: number) => (at % 2 === 0 ? '::ffff:192.0.2.1' : '::ffff:c000:201')],
    ['has a port of its own each time', (at: number) => `192.0.2.1:${4000 + at}`],
    ['has a port and an IPv6 address', (at: number) => `[2001:db8:1:2::${at}]:${4000 + at}`],
    ['sends what is no address', (at: number) => `unknown-${at}`],
  ])('stays one when somebody behind a trusted proxy %s', async (_what, header) => {
    await start(behindProxy)
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      statuses.push(await signIn({ identifier: `user-${attempt}` }, header(attempt)))
    }
    expect(statuses.at(-1)).toBe(429)
  })

  it('of somebody else cannot be locked out by naming it', async () => {
    await start(behindProxy)
    for (let attempt = 0; attempt < 6; attempt += 1) {
      await signIn({ identifier: `user-${attempt}` }, '198.51.100.7, 192.0.2.1')
    }
    expect(await signIn({}, '192.0.2.1')).toBe(429)
    expect(await signIn({}, '198.51.100.7')).toBe(200)
  })
})

describe('failed client authentication', () => {
  const grant = { grant_type: 'client_credentials' }

  it('is answered 429 past the allowance, while the right secret always gets in', async () => {
    await start()
    const etl = await service.client({ name: 'etl' })
    const statuses = []
    for (let attempt = 0; attempt < 7; attempt += 1) {
      statuses.push((await service.post('/oauth/token', grant, { authorization: basic('etl', 'wrong') })).status)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
    expect((await service.post('/oauth/token', grant, { authorization: basic('etl', etl.secret) })).status).toBe(200)
    expect(await signIn()).toBe(200)
  })

  it('counts an unknown client by its address', async () => {
    await start()
    const statuses = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const authorization = basic(`nobody-${attempt}`, 'x')
      statuses.push((await service.post('/oauth/introspect', { token: 'x' }, { authorization })).status)
    }
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('password hashes', () => {
  it('past the queue are answered 503 with Retry-After', async () => {
    await start({ limits: { parallelHashes: 1, queuedHashes: 1, failuresPerMinute: 1000 } })
    for (let user = 0; user < 8; user += 1) await service.issuer.users.add({ identifier: `user-${user}`, password })
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, user) =>
        service.postJson('/auth/sign-in', signInBody({ identifier: `user-${user}` })),
      ),
    )
    const statuses = answers.map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
    const busy = answers.find(({ status }) => status === 503)
    expect([busy?.body.error, busy?.headers.get('retry-after')]).toEqual(['temporarily_unavailable', '1'])
    expect(service.events).toContainEqual({ type: 'rate_limited', limit: 'hashes' })
  })
})
