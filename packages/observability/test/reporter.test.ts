import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  createLogger,
  createMetrics,
  createReporter,
  type GuardEventLike,
  type IssuerEventLike,
  type JwksEventLike,
  type KeysEventLike,
  ObservabilityError,
  observeHttp,
} from '../src/index.ts'
import { createCanary } from '../src/testing.ts'
import { collectLines } from './lines.ts'

function make() {
  const collected = collectLines()
  const metrics = createMetrics({ process: false })
  const logger = createLogger({ level: 'debug', destination: collected.destination })
  const report = createReporter({ metrics, logger, clock: { now: () => 1234 } })
  const nonZero = async (): Promise<string[]> =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter((line) => !line.startsWith('#') && !/ 0$|_bucket|_sum|build_info|^$/.test(line))
      .map((line) => line.replace('countersign_', ''))
  return { ...collected, metrics, report, nonZero }
}

const error = new Error('no')

describe('events of an issuer', () => {
  const table: [event: IssuerEventLike, level: string, fields: object, counted: string[]][] = [
    [
      { type: 'token_issued', grant: 'sign_in', audience: 'a', clientId: 'c', kid: 'k', algorithm: 'EdDSA' },
      'debug',
      { grant: 'sign_in', audience: 'a', client: 'c', kid: 'k', alg: 'EdDSA' },
      ['token_issued_total{grant="sign_in",result="ok"} 1'],
    ],
    [
      { type: 'token_refused', grant: 'refresh_token', error: 'invalid_grant' },
      'info',
      { grant: 'refresh_token', code: 'invalid_grant' },
      ['token_issued_total{grant="refresh_token",result="denied"} 1'],
    ],
    [
      { type: 'token_refused', grant: 'unknown', error: 'temporarily_unavailable' },
      'warn',
      { code: 'temporarily_unavailable' },
      ['token_issued_total{grant="other",result="error"} 1'],
    ],
    [
      { type: 'sign_in_failed', reason: 'wrong_password', clientId: 'c', userId: 'user_1', address: '192.0.2.7' },
      'info',
      { reason: 'wrong_password', subject: 'user_1', address: '192.0.2.7' },
      [],
    ],
    [{ type: 'client_authentication_failed', reason: 'wrong_secret' }, 'info', { reason: 'wrong_secret' }, []],
    [
      { type: 'rate_limited', limit: 'address', counted: '192.0.2.7' },
      'warn',
      { limit: 'address', target: '192.0.2.7' },
      ['rate_limited_total{limit="address"} 1'],
    ],
    [
      {
        type: 'refresh_reused',
        sessionId: 's',
        clientId: 'c',
        presentedBy: 'd',
        firstUsedAt: 10,
        usedAgainAt: 15,
      },
      'warn',
      { session: 's', client: 'c', actor: 'd', seconds: 5 },
      ['refresh_reuse_detected_total 1'],
    ],
    [{ type: 'refresh_replayed', sessionId: 's', clientId: 'c' }, 'info', { session: 's', client: 'c' }, []],
    [
      { type: 'feed_advanced', seq: 7, entries: 3, at: 1_700_000_000 },
      'debug',
      { count: 3, at: 1_700_000_000 },
      ['revocation_feed_last_event_timestamp_seconds 1700000000', 'revocation_entries 3'],
    ],
    [{ type: 'revocations_compared', missing: 2, entries: 8 }, 'warn', { count: 2 }, ['revocation_drift_ratio 0.25']],
    [{ type: 'canary_seen', latencySeconds: 0.2 }, 'debug', { seconds: 0.2 }, ['revocation_latency_seconds_count 1']],
    [
      { type: 'token_revoked', jti: 'j', clientId: 'c' },
      'info',
      { token_id: 'j' },
      ['revocations_total{target="token"} 1'],
    ],
    [
      { type: 'session_ended', sessionId: 's', reason: 'revoked' },
      'info',
      { session: 's', reason: 'revoked' },
      ['revocations_total{target="session"} 1'],
    ],
    [{ type: 'user_changed', action: 'added', userId: 'u' }, 'info', { action: 'added', subject: 'u' }, []],
    [{ type: 'user_changed', action: 'disabled', userId: 'u' }, 'info', {}, ['revocations_total{target="user"} 1']],
    [{ type: 'client_changed', action: 'secret_rotated', clientId: 'c' }, 'info', { client: 'c' }, []],
    [
      { type: 'client_changed', action: 'disabled', clientId: 'c' },
      'info',
      {},
      ['revocations_total{target="client"} 1'],
    ],
    [{ type: 'introspected', active: false }, 'debug', { result: 'inactive' }, []],
    [{ type: 'password_rehashed' }, 'debug', {}, []],
    [{ type: 'pruned', rows: 3 }, 'debug', { count: 3 }, []],
    [{ type: 'fault', part: 'store', error }, 'error', { component: 'store', error: { message: 'no' } }, []],
  ]
  it.each(table)('%o', async (event, level, fields, counted) => {
    const { report, lines, nonZero } = make()
    report.issuer(event)
    expect(lines()).toEqual([expect.objectContaining({ level, event: event.type })])
    expect(lines()[0]).toMatchObject(fields)
    expect(lines()[0]).not.toHaveProperty('dropped_fields')
    expect(await nonZero()).toEqual(counted)
  })
})

describe('events of a key ring', () => {
  const table: [event: KeysEventLike, level: string, fields: object, counted: string[]][] = [
    [
      { type: 'key.changed', ring: 'tokens', kid: 'k', from: 'published', to: 'active', at: 77 },
      'info',
      { ring: 'tokens', kid: 'k', state: 'active', at: 77 },
      ['key_rotations_total{result="ok"} 1', 'key_rotation_last_success_timestamp_seconds 77'],
    ],
    [{ type: 'key.changed', ring: 'tokens', kid: 'k', from: null, to: 'active', at: 7 }, 'info', {}, []],
    [
      { type: 'key.revoked', ring: 'tokens', kid: 'k', reason: 'leak' },
      'warn',
      { reason: 'leak' },
      ['revocations_total{target="key"} 1'],
    ],
    [{ type: 'key.age', ring: 'tokens', kid: 'k', level: 'warn', ageSeconds: 5 }, 'warn', { seconds: 5 }, []],
    [{ type: 'key.age', ring: 'tokens', kid: 'k', level: 'page', ageSeconds: 5 }, 'error', { state: 'page' }, []],
    [{ type: 'signer.failed', ring: 'tokens', error }, 'warn', { error: { message: 'no' } }, []],
    [{ type: 'key.unconfirmed', ring: 'tokens', kid: 'k', missing: ['a'] }, 'warn', { waiting_for: ['a'] }, []],
    [
      { type: 'store.failed', ring: 'tokens', code: 'x', leaseLeftSeconds: 9, error },
      'error',
      { code: 'x', seconds: 9, error: { message: 'no' } },
      [],
    ],
    [{ type: 'store.recovered', ring: 'tokens' }, 'info', {}, []],
    [
      { type: 'schedule.failed', ring: 'tokens', step: 'activate', code: 'x', error },
      'error',
      { action: 'activate' },
      ['key_rotations_total{result="error"} 1'],
    ],
    [{ type: 'schedule.failed', ring: 'tokens', step: 'retire', code: 'x', error }, 'error', {}, []],
  ]
  it.each(table)('%o', async (event, level, fields, counted) => {
    const { report, lines, nonZero } = make()
    report.keys(event)
    expect(lines()).toEqual([expect.objectContaining({ level, event: event.type, ring: 'tokens' })])
    expect(lines()[0]).toMatchObject(fields)
    expect(await nonZero()).toEqual(counted)
  })
})

describe('events of a guard', () => {
  const decided = { surface: 'http', algorithm: 'EdDSA', durationMs: 0.5 }
  const total = 'token_verifications_total'
  const timed = 'token_verify_duration_seconds_count{surface="http"} 1'
  const table: [event: GuardEventLike, level: string, fields: object, counted: string[]][] = [
    [
      { type: 'admitted', ...decided },
      'debug',
      { surface: 'http', alg: 'EdDSA', duration_ms: 0.5 },
      [`${total}{surface="http",result="ok",reason="none",alg="EdDSA"} 1`, timed],
    ],
    [
      { type: 'denied', ...decided, code: 'expired' },
      'info',
      { code: 'expired' },
      [`${total}{surface="http",result="denied",reason="expired",alg="EdDSA"} 1`, timed],
    ],
    [
      { type: 'denied', surface: 'http', durationMs: 1, code: 'no_token' },
      'info',
      { alg: 'unknown' },
      [`${total}{surface="http",result="denied",reason="no_token",alg="unknown"} 1`, timed],
    ],
    [
      { type: 'error', ...decided, code: 'keys_unavailable' },
      'error',
      { code: 'keys_unavailable' },
      [`${total}{surface="http",result="error",reason="keys_unavailable",alg="unknown"} 1`, timed],
    ],
    [
      { type: 'error', ...decided, cause: error },
      'error',
      { code: 'fault', error: { message: 'no' } },
      [`${total}{surface="http",result="error",reason="fault",alg="unknown"} 1`, timed],
    ],
    [
      { type: 'issuer_found', issuer: 'https://auth.example', jwksUrl: 'https://auth.example/keys' },
      'info',
      { issuer: 'https://auth.example', url: 'https://auth.example/keys', state: 'no_feed' },
      [],
    ],
    [
      {
        type: 'issuer_found',
        issuer: 'https://auth.example',
        jwksUrl: 'https://auth.example/keys',
        revocationsUrl: 'https://auth.example/revocations',
      },
      'info',
      { state: 'feed_followed' },
      [],
    ],
    [
      { type: 'issuer_failed', issuer: 'https://auth.example', cause: error },
      'warn',
      { issuer: 'https://auth.example', error: { message: 'no' } },
      [],
    ],
    [{ type: 'ended', reason: 'expired' }, 'debug', { reason: 'expired' }, []],
  ]
  it.each(table)('%o', async (event, level, fields, counted) => {
    const { report, lines, nonZero } = make()
    report.guard(event)
    expect(lines()).toEqual([expect.objectContaining({ level, event: event.type })])
    expect(lines()[0]).toMatchObject(fields)
    expect(await nonZero()).toEqual(counted)
  })
})

describe('events of a JWKS reader', () => {
  const url = 'https://auth.example/.well-known/jwks.json'
  const table: [event: JwksEventLike, level: string, fields: object, counted: string[]][] = [
    [
      { type: 'jwks_refreshed', url, keys: 2, added: 1, removed: 0 },
      'info',
      { url, count: 2 },
      ['jwks_last_success_timestamp_seconds 1234', 'jwks_fetch_total{result="ok"} 1'],
    ],
    [
      { type: 'jwks_refreshed', url, keys: 2, added: 0, removed: 0 },
      'debug',
      {},
      [expect.anything(), expect.anything()],
    ],
    [
      { type: 'jwks_refresh_failed', url, reason: 'status', status: 500, keysKept: true, staleSeconds: 3 },
      'warn',
      { reason: 'status', status: 500, outcome: 'keys_kept', seconds: 3 },
      ['jwks_fetch_total{result="error"} 1'],
    ],
    [
      { type: 'jwks_refresh_failed', url, reason: 'timeout', keysKept: false, staleSeconds: 0 },
      'error',
      { outcome: 'no_keys' },
      ['jwks_fetch_total{result="error"} 1'],
    ],
    [{ type: 'jwks_expired', url }, 'error', {}, []],
    [{ type: 'jwks_fetch_limited', url }, 'warn', {}, ['jwks_unknown_kid_refetch_total{outcome="limited"} 1']],
    [
      { type: 'jwks_unknown_kid', url, outcome: 'absent' },
      'debug',
      { outcome: 'absent' },
      ['jwks_unknown_kid_refetch_total{outcome="absent"} 1'],
    ],
  ]
  it.each(table)('%o', async (event, level, fields, counted) => {
    const { report, lines, nonZero } = make()
    report.jwks(event)
    expect(lines()).toEqual([expect.objectContaining({ level, event: event.type })])
    expect(lines()[0]).toMatchObject(fields)
    expect(await nonZero()).toEqual(counted)
  })
})

describe('events of the audit log', () => {
  it('are counted by outcome, failures by record', async () => {
    const { report, lines, nonZero } = make()
    report.audit({ type: 'audit_written', allowed: 3, denied: 2, bytes: 99 })
    report.audit({ type: 'audit_write_failed', records: 4, error: new ObservabilityError('audit_unwritable', 'full') })
    report.audit({ type: 'audit_torn_line' })
    report.audit({ type: 'audit_file_deleted' })
    report.audit({ type: 'audit_reopened' })
    expect(lines().map((line) => `${line.level} ${line.event}`)).toEqual([
      'error audit_write_failed',
      'warn audit_torn_line',
      'error audit_file_deleted',
      'info audit_reopened',
    ])
    expect(lines()[0]).toMatchObject({ code: 'audit_unwritable', count: 4, remedy: expect.stringContaining('disk') })
    expect(await nonZero()).toEqual([
      'audit_events_total{outcome="allowed"} 3',
      'audit_events_total{outcome="denied"} 2',
      'audit_write_failures_total{sink="file"} 4',
    ])
  })
})

describe('a reporter', () => {
  it('never throws, whatever it is handed and whatever fails below it', () => {
    const logger = createLogger({
      level: 'debug',
      destination: {
        write: () => {
          throw new Error('EPIPE')
        },
      },
    })
    const metrics = createMetrics({ process: false })
    const full = createReporter({ logger, metrics })
    for (const callback of [full.keys, full.issuer, full.guard, full.jwks, full.audit] as ((event: never) => void)[]) {
      for (const event of [
        undefined,
        null,
        5,
        {},
        { type: 'unheard_of' },
        { type: 'denied' },
        { type: 'token_issued' },
      ]) {
        expect(() => callback(event as never)).not.toThrow()
      }
    }
    full.guard({ type: 'denied', surface: 'http', durationMs: 1, code: 'expired' })
  })

  it('works with metrics only, with a logger only, with neither', async () => {
    const { metrics, nonZero, destination, lines } = make()
    createReporter({ metrics }).issuer({ type: 'rate_limited', limit: 'account' })
    createReporter({ logger: createLogger({ destination }) }).issuer({ type: 'rate_limited', limit: 'account' })
    const neither = createReporter({})
    neither.issuer({ type: 'rate_limited', limit: 'account' })
    neither.followRings([])()
    expect([await nonZero(), lines().length]).toEqual([['rate_limited_total{limit="account"} 1'], 1])
  })

  it('lets no secret through, wherever an event carries one', async () => {
    const canary = createCanary()
    const secret = canary.plant('refresh token', `cs_refresh_${'Ab3-'.repeat(11)}`)
    const { report, text, metrics } = make()
    const leaky = new Error(`failed for ${secret}`, { cause: new Error(`Authorization: Bearer ${secret}`) })
    Object.assign(leaky, { config: { token: secret }, code: secret })
    report.issuer({ type: 'fault', part: secret, error: leaky })
    report.issuer({ type: 'rate_limited', limit: secret })
    report.issuer({ type: 'token_refused', grant: secret, error: secret })
    report.guard({ type: 'error', surface: secret, algorithm: secret, durationMs: 1, cause: leaky })
    report.keys({ type: 'store.failed', ring: secret, code: secret, leaseLeftSeconds: 1, error: leaky })
    report.jwks({ type: 'jwks_expired', url: `https://a.example/${secret}?token=${secret}` })
    canary.see('log', text())
    canary.see('metrics', await metrics.registry.metrics())
    expect(canary.leaks()).toEqual([])
  })
})

describe('observeHttp', () => {
  it('measures by method, route and status, also what ends early', async () => {
    const { metrics, nonZero } = make()
    const server = createServer(observeHttp(metrics))
    server.on('request', (request, response) => {
      if (request.url === '/auth/status') return void request.socket.destroy()
      request.url = '/rewritten'
      response.writeHead(request.method === 'POST' ? 401 : 200).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    await fetch(`${url}/healthz?x=1`)
    await fetch(`${url}/oauth/token`, { method: 'POST' })
    await fetch(`${url}/users/17`)
    await fetch(`${url}/healthz`, { method: 'PATCH' })
    await fetch(`${url}/auth/status`).catch(() => undefined)
    const socket = connect(port, '127.0.0.1').end('GARBAGE\r\n\r\n')
    await new Promise((resolve) => socket.resume().once('close', resolve))
    await new Promise((resolve) => server.close(resolve))
    const name = 'http_request_duration_seconds_count'
    expect((await nonZero()).sort()).toEqual([
      `${name}{method="GET",route="/auth/status",status="other"} 1`,
      `${name}{method="GET",route="/healthz",status="2xx"} 1`,
      `${name}{method="POST",route="/oauth/token",status="4xx"} 1`,
      `${name}{method="other",route="other",status="2xx"} 2`,
    ])
  })

  it('takes the route from whoever knows it', async () => {
    const metrics = createMetrics({ process: false, routes: ['GET /users/:id'] })
    const observe = observeHttp(metrics, {
      route: ({ url = '' }) => {
        if (url === '/throws') throw new Error('no')
        return url.replace(/\d+$/, ':id')
      },
    })
    const server = createServer((_request, response) => void response.end())
    server.on('request', observe)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    for (const path of ['/users/17', '/throws']) await fetch(`http://127.0.0.1:${port}${path}`)
    await new Promise((resolve) => server.close(resolve))
    const text = await metrics.registry.metrics()
    expect(text).toContain('_count{method="GET",route="/users/:id",status="2xx"} 1')
    expect(text).toContain('_count{method="other",route="other",status="2xx"} 1')
  })
})
