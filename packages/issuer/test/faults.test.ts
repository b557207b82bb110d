import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IssuerStores } from '../src/index.ts'
import { type Answer, basic, type Service, signInBody, startService, storageError, withAda } from './service.ts'

let service: Service
let etl: { id: string; secret: string }
beforeEach(async () => {
  service = await startService()
  etl = await service.client({ name: 'etl' })
  await withAda(service)
})
afterEach(() => service.close())

const as = () => ({ authorization: basic('etl', etl.secret) })
const grant = { grant_type: 'client_credentials' }

function unavailable(answer: Answer): void {
  expect([answer.status, answer.body.error, answer.headers.get('retry-after')]).toEqual([
    503,
    'temporarily_unavailable',
    '1',
  ])
  expect(answer.text).not.toMatch(/sqlite|secret-path|disk|access_token|cs_refresh/)
}

/** Makes one method of a store reject. */
function fail<Part extends 'users' | 'clients' | 'sessions' | 'issued' | 'throttle'>(
  part: Part,
  method: keyof IssuerStores[Part],
  error: Error,
): void {
  Object.assign(service.stores[part], { [method]: () => Promise.reject(error) })
}

describe('a store that fails', () => {
  it.each(['busy', 'io_error', 'full', 'closed'])('with %s is a 503, never a token', async (code) => {
    fail('issued', 'add', storageError(code))
    unavailable(await service.post('/oauth/token', grant, as()))
    expect(service.events).toContainEqual({ type: 'fault', part: 'store', error: expect.objectContaining({ code }) })
    expect(service.events).toContainEqual({
      type: 'token_refused',
      grant: 'client_credentials',
      error: 'temporarily_unavailable',
    })
    expect(service.events.some(({ type }) => type === 'token_issued')).toBe(false)
  })

  it('while reading the client is a 503, not an unknown client', async () => {
    fail('clients', 'byName', storageError('busy'))
    unavailable(await service.post('/oauth/token', grant, as()))
  })

  it('while counting failures is a 503: no attempt goes uncounted', async () => {
    fail('throttle', 'fail', storageError('full'))
    unavailable(await service.postJson('/auth/sign-in', signInBody({ secret: 'wrong' })))
    unavailable(await service.post('/oauth/token', grant, { authorization: basic('etl', 'wrong') }))
  })

  it('while reading failures is a 503 before any hash', async () => {
    fail('throttle', 'read', storageError('busy'))
    unavailable(await service.postJson('/auth/sign-in', signInBody()))
  })

  it('while opening a session gives nothing out', async () => {
    fail('sessions', 'open', storageError('io_error'))
    const answer = await service.postJson('/auth/sign-in', signInBody())
    unavailable(answer)
    expect(answer.headers.get('set-cookie')).toBeNull()
  })

  it('while rotating gives nothing out', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    fail('sessions', 'rotate', storageError('full'))
    unavailable(
      await service.post('/oauth/token', {
        grant_type: 'refresh_token',
        refresh_token: body.refresh_token,
        client_id: 'countersign-cli',
      }),
    )
  })

  it('while revoking or introspecting is a 503, never "inactive" and never "revoked"', async () => {
    const { body } = await service.post('/oauth/token', grant, as())
    fail('issued', 'status', storageError('io_error'))
    unavailable(await service.post('/oauth/introspect', { token: body.access_token }, as()))
    unavailable(await service.post('/oauth/revoke', { token: body.access_token }, as()))
  })

  it('while asking who is signed in is a 503, not "nobody"', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    fail('issued', 'status', storageError('busy'))
    const answer = await fetch(`${service.url}/auth/status`, {
      headers: { authorization: `Bearer ${body.access_token}` },
    })
    expect([answer.status, (await answer.json()) as unknown]).toEqual([
      503,
      expect.objectContaining({ state: 'unavailable' }),
    ])
  })

  it('with an error nobody planned is a 500 that says nothing', async () => {
    fail('issued', 'add', new TypeError('cannot read secret-path of undefined'))
    const answer = await service.post('/oauth/token', grant, as())
    expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
    expect(answer.text).not.toContain('secret-path')
    expect(service.events).toContainEqual({ type: 'fault', part: 'unknown', error: expect.any(TypeError) })
  })
})

describe('an audit log that fails', () => {
  beforeEach(() => service.failAudit(new Error('disk full')))

  it('stops client credentials and sign-in', async () => {
    unavailable(await service.post('/oauth/token', grant, as()))
    unavailable(await service.postJson('/auth/sign-in', signInBody()))
    expect(service.events).toContainEqual({ type: 'fault', part: 'audit', error: expect.any(Error) })
  })

  it('stops the operator', async () => {
    const { issuer } = service
    const refused = { code: 'temporarily_unavailable' }
    await expect(issuer.users.add({ identifier: 'bob', password: 'long enough' })).rejects.toMatchObject(refused)
    await expect(issuer.users.disable('ada@example.com')).rejects.toMatchObject(refused)
    await expect(issuer.users.setPassword('ada@example.com', 'long enough')).rejects.toMatchObject(refused)
    await expect(
      issuer.clients.add({ name: 'x', audiences: ['agent-api'], grants: ['sign_in'] }),
    ).rejects.toMatchObject(refused)
    await expect(issuer.clients.disable('etl')).rejects.toMatchObject(refused)
    await expect(issuer.clients.rotateSecret('etl')).rejects.toMatchObject(refused)
    expect(await issuer.users.list()).toHaveLength(1)
    expect((await issuer.users.list())[0]?.disabledAt).toBeNull()
    service.failAudit(undefined)
    expect((await service.post('/oauth/token', grant, as())).status).toBe(200)
  })
})

describe('a ring that cannot sign', () => {
  it('is a 503, and introspection and the JWKS go on as far as they can', async () => {
    await service.rings[0]?.close()
    unavailable(await service.post('/oauth/token', grant, as()))
    const jwks = await fetch(`${service.url}/.well-known/jwks.json`)
    expect([jwks.status, jwks.headers.get('retry-after')]).toEqual([503, '1'])
  })
})

describe('closing', () => {
  it('waits for what runs and refuses what comes', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const add = service.stores.issued.add.bind(service.stores.issued)
    const begun = new Promise<void>((resolve) => {
      Object.assign(service.stores.issued, {
        add: async (issued: Parameters<typeof add>[0]) => {
          resolve()
          await held
          return add(issued)
        },
      })
    })
    const running = service.post('/oauth/token', grant, as())
    await begun
    let closed = false
    const closing = service.issuer.close().then(() => {
      closed = true
    })
    unavailable(await service.post('/oauth/token', grant, as()))
    expect(closed).toBe(false)
    const ready = await fetch(`${service.url}/readyz`)
    expect([ready.status, (await ready.json()) as unknown]).toEqual([
      503,
      { status: 'unready', checks: { service: 'closing' } },
    ])
    release()
    expect((await running).status).toBe(200)
    await closing
    expect(closed).toBe(true)
  })
})

describe('a listener that throws', () => {
  it('changes no answer', async () => {
    const { createIssuer } = await import('../src/index.ts')
    const { consumers } = await import('./service.ts')
    const issuer = createIssuer({
      issuer: service.issuer.issuer,
      rings: service.rings,
      consumers,
      stores: service.stores,
      onEvent: () => {
        throw new Error('listener')
      },
    })
    const client = { method: 'client_secret_post', clientId: 'etl', secret: etl.secret } as const
    expect((await issuer.clientCredentials({ client })).scope).toBe('agents:read chat:write')
    await issuer.close()
  })
})

describe('pruning', () => {
  it('removes what ended more than a day ago, each minute, and stops with the issuer', async () => {
    await service.post('/oauth/token', grant, as())
    service.clock.pass(600 + 86_400 + 60)
    await new Promise((resolve) => setImmediate(resolve))
    expect(service.events).toContainEqual({ type: 'pruned', rows: 1 })
    const calls: number[] = []
    Object.assign(service.stores, { prune: async (before: number) => calls.push(before) })
    await service.issuer.close()
    service.clock.pass(3600)
    expect(calls).toEqual([])
  })

  it('goes on after a fault', async () => {
    let calls = 0
    Object.assign(service.stores, {
      prune: async () => {
        calls += 1
        throw storageError('busy')
      },
    })
    for (let minute = 0; minute < 3; minute += 1) {
      service.clock.pass(60)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(calls).toBe(3)
    expect(service.events).toContainEqual({ type: 'fault', part: 'prune', error: expect.any(Error) })
  })
})
