import fc from 'fast-check'
import { register } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createMetrics, type KeyRingLike, type Metrics } from '../src/index.ts'

/** Samples by name and labels. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const text = await metrics.registry.metrics()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const make = (options = {}): Metrics => createMetrics({ process: false, ...options })

describe('createMetrics', () => {
  it('exports every metric of this list, and no other', async () => {
    const text = await make().registry.metrics()
    const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`)
    expect(names.sort()).toEqual([
      'countersign_audit_events_total counter',
      'countersign_audit_write_failures_total counter',
      'countersign_build_info gauge',
      'countersign_http_request_duration_seconds histogram',
      'countersign_jwks_fetch_total counter',
      'countersign_jwks_last_success_timestamp_seconds gauge',
      'countersign_jwks_unknown_kid_refetch_total counter',
      'countersign_key_rotation_last_success_timestamp_seconds gauge',
      'countersign_key_rotations_total counter',
      'countersign_rate_limited_total counter',
      'countersign_refresh_reuse_detected_total counter',
      'countersign_revocation_drift_ratio gauge',
      'countersign_revocation_entries gauge',
      'countersign_revocation_feed_last_event_timestamp_seconds gauge',
      'countersign_revocation_latency_seconds histogram',
      'countersign_revocations_total counter',
      'countersign_signing_key_activated_timestamp_seconds gauge',
      'countersign_signing_key_info gauge',
      'countersign_signing_key_not_after_timestamp_seconds gauge',
      'countersign_signing_key_retire_after_timestamp_seconds gauge',
      'countersign_token_issued_total counter',
      'countersign_token_verifications_total counter',
      'countersign_token_verify_duration_seconds histogram',
    ])
  })

  it('begins with every series of its lists at 0', async () => {
    const all = await samples(make())
    for (const grant of ['sign_in', 'client_credentials', 'refresh_token', 'other']) {
      for (const result of ['ok', 'denied', 'error', 'other']) {
        expect(all.get(`countersign_token_issued_total{grant="${grant}",result="${result}"}`)).toBe(0)
      }
    }
    expect(
      all.get(
        'countersign_token_verifications_total{surface="http",result="denied",reason="bad_signature",alg="EdDSA"}',
      ),
    ).toBe(0)
    expect(
      all.get('countersign_token_verifications_total{surface="http",result="ok",reason="none",alg="Ed25519"}'),
    ).toBe(0)
    const values = [...all].filter(([name]) => !name.startsWith('countersign_build_info')).map(([, value]) => value)
    expect(new Set(values)).toEqual(new Set([0]))
  })

  it('has no series for what cannot be', async () => {
    const names = [...(await samples(make())).keys()].filter((name) => name.includes('verifications'))
    expect(names.filter((name) => name.includes('"ok"') && !name.includes('reason="none"'))).toEqual([])
    expect(names.filter((name) => name.includes('"denied"') && /reason="(none|fault)"/.test(name))).toEqual([])
    expect(names).toHaveLength(2 * (8 + 19 * 8 + 3))
  })

  it('keeps one scrape small', async () => {
    expect((await make().registry.metrics()).length).toBeLessThan(150_000)
  })

  it('keeps the number of series whatever it is told', async () => {
    const metrics = make()
    const before = [...(await samples(metrics)).keys()]
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'ok',
        'denied',
        'error',
        'http',
        'EdDSA',
        'expired',
        'GET',
        '/oauth/token',
        '2xx',
        'user',
        'other',
      ),
      fc.constantFrom('__proto__', 'constructor', 'toString'),
    )
    fc.assert(
      fc.property(
        fc.array(any, { minLength: 4, maxLength: 4 }),
        fc.double(),
        ([a = '', b = '', c = '', d = ''], value) => {
          metrics.tokensIssued.add({ grant: a, result: b })
          metrics.verifications.add({ surface: a, result: b, reason: c, alg: d })
          metrics.verifyDuration.observe({ surface: a }, value)
          metrics.refreshReuse.add({})
          metrics.rotations.add({ result: a })
          metrics.rotationLastSuccess.set({}, value)
          metrics.jwksLastSuccess.set({}, value)
          metrics.jwksFetches.add({ result: a })
          metrics.unknownKidRefetches.add({ outcome: a })
          metrics.revocations.add({ target: a })
          metrics.auditEvents.add({ outcome: a }, value)
          metrics.auditWriteFailures.add({ sink: a })
          metrics.rateLimited.add({ limit: a })
          metrics.httpDuration.observe({ method: a, route: b, status: c }, value)
        },
      ),
      { numRuns: 10_000 },
    )
    expect([...(await samples(metrics)).keys()]).toEqual(before)
  })

  it('counts what is outside a list as other', async () => {
    const metrics = make({ surfaces: ['http', 'mcp'] })
    metrics.tokensIssued.add({ grant: 'password', result: 'ok' })
    metrics.verifications.add({ surface: 'websocket', result: 'ok', reason: 'none', alg: 'ES512' })
    metrics.verifications.add({ surface: 'mcp', result: 'error', reason: 'weird', alg: 'ES256' })
    metrics.httpDuration.observe({ method: 'POST', route: '/healthz', status: '4xx' }, 0.01)
    const all = await samples(metrics)
    expect(all.get('countersign_token_issued_total{grant="other",result="ok"}')).toBe(1)
    expect(
      all.get('countersign_token_verifications_total{surface="other",result="ok",reason="none",alg="other"}'),
    ).toBe(1)
    expect(
      all.get('countersign_token_verifications_total{surface="mcp",result="error",reason="fault",alg="unknown"}'),
    ).toBe(1)
    expect(all.get('countersign_http_request_duration_seconds_count{method="other",route="other",status="4xx"}')).toBe(
      1,
    )
  })

  it('ignores counts and values that make no sense', async () => {
    const metrics = make()
    metrics.auditEvents.add({ outcome: 'allowed' }, -5)
    metrics.auditEvents.add({ outcome: 'allowed' }, Number.NaN)
    metrics.auditEvents.add({ outcome: 'allowed' }, 0)
    metrics.verifyDuration.observe({ surface: 'http' }, -1)
    metrics.jwksLastSuccess.set({}, Number.POSITIVE_INFINITY)
    const all = await samples(metrics)
    expect(all.get('countersign_audit_events_total{outcome="allowed"}')).toBe(0)
    expect(all.get('countersign_token_verify_duration_seconds_count{surface="http"}')).toBe(0)
    expect(all.get('countersign_jwks_last_success_timestamp_seconds')).toBe(0)
  })

  it('leaves prom-client’s global registry alone, and two sets apart', async () => {
    const [one, two] = [make(), make()]
    one.refreshReuse.add({})
    expect((await samples(two)).get('countersign_refresh_reuse_detected_total')).toBe(0)
    expect(register.getMetricsAsArray()).toEqual([])
  })

  it('measures the process and its event loop', async () => {
    const text = await createMetrics({ version: '1.2.3' }).registry.metrics()
    expect(text).toMatch(/^process_cpu_seconds_total \d/m)
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m)
    expect(text).toContain(`countersign_build_info{version="1.2.3",node="${process.versions.node}"} 1`)
  })

  it.each([
    [{ prefix: 'Bad-' }],
    [{ surfaces: ['a b'] }],
    [{ surfaces: Array.from({ length: 9 }, (_, n) => `s${n}`) }],
    [{ routes: ['/no-method'] }],
    [{ routes: Array.from({ length: 65 }, (_, n) => `GET /r${n}`) }],
    [{ version: '1"\n' }],
  ])('refuses the options %o', (options) => {
    expect(() => make(options)).toThrow(expect.objectContaining({ code: 'invalid_options' }))
  })
})

describe('keys', () => {
  const key = (kid: string, state: string, more = {}) => ({
    kid,
    state,
    activatedAt: null,
    retiringAt: null,
    retiredAt: null,
    revokedAt: null,
    next: null,
    ...more,
  })

  it('are read from the rings at each scrape', async () => {
    const metrics = make()
    let keys = [
      key('k0', 'retired', { activatedAt: 1, retiringAt: 2, retiredAt: 3 }),
      key('k1', 'active', { activatedAt: 10, next: { transition: 'retiring', at: 99 } }),
      key('k2', 'published', { next: { transition: 'active', at: 99 } }),
    ]
    const stop = metrics.keys.follow({ status: () => ({ algorithm: 'EdDSA', keys }) })
    let all = await samples(metrics)
    const named = (part: string): string[] => [...all.keys()].filter((name) => name.includes(part))
    expect(named('signing_key_info')).toEqual([
      'countersign_signing_key_info{kid="k1",alg="EdDSA",state="active"}',
      'countersign_signing_key_info{kid="k2",alg="EdDSA",state="published"}',
    ])
    expect(all.get('countersign_signing_key_activated_timestamp_seconds{kid="k1"}')).toBe(10)
    expect(all.get('countersign_signing_key_retire_after_timestamp_seconds{kid="k1"}')).toBe(99)
    expect(named('not_after')).toEqual([])

    keys = [
      key('k1', 'retiring', { activatedAt: 10, retiringAt: 50, next: { transition: 'retired', at: 70 } }),
      key('k2', 'active', { activatedAt: 50 }),
    ]
    all = await samples(metrics)
    expect(all.get('countersign_signing_key_info{kid="k1",alg="EdDSA",state="active"}')).toBeUndefined()
    expect(all.get('countersign_signing_key_info{kid="k1",alg="EdDSA",state="retiring"}')).toBe(1)
    expect(all.get('countersign_signing_key_retire_after_timestamp_seconds{kid="k1"}')).toBe(50)
    expect(all.get('countersign_signing_key_not_after_timestamp_seconds{kid="k1"}')).toBe(70)
    stop()
    all = await samples(metrics)
    expect(named('signing_key_')).toEqual([])
  })

  it('are bounded in number and in what they say', async () => {
    const metrics = make()
    const ring: KeyRingLike = {
      status: () => ({
        algorithm: 'weird',
        keys: [
          ...Array.from({ length: 100 }, (_, n) => key(`r${n}`, 'revoked', { revokedAt: n + 1 })),
          ...Array.from({ length: 100 }, (_, n) => key(`k${n}`, 'odd')),
          key('bad"kid', 'active'),
        ],
      }),
    }
    for (let count = 0; count < 50; count += 1) metrics.keys.follow({ ...ring })
    const names = [...(await samples(metrics)).keys()].filter((name) => name.includes('signing_key_info'))
    expect(names).toHaveLength(16)
    expect(names).toContain('countersign_signing_key_info{kid="k99",alg="other",state="other"}')
  })
})

describe("an application's own metrics", () => {
  it('are beside those of the fleet, every series from the start, and take only what is on their lists', async () => {
    const metrics = make()
    const jobs = metrics.own.counter({ name: 'jobs_total', help: 'Jobs.', labels: { result: ['ok', 'failed'] } })
    const last = metrics.own.gauge({ name: 'job_last_timestamp_seconds', help: 'The last; 0: none.' })
    const took = metrics.own.histogram({ name: 'job_seconds', help: 'Time.', labels: { kind: ['a'] }, buckets: [1, 2] })
    const before = await samples(metrics)
    expect(before.get('countersign_jobs_total{result="failed"}')).toBe(0)
    expect(before.get('countersign_job_seconds_bucket{le="2",kind="a"}')).toBe(0)
    jobs.add({ result: 'ok' })
    jobs.add({ result: 'somebody’s name' })
    last.set({}, 7)
    took.observe({ kind: 'a' }, 1.5)
    const after = await samples(metrics)
    expect(after.get('countersign_jobs_total{result="ok"}')).toBe(1)
    expect(after.get('countersign_jobs_total{result="other"}')).toBe(1)
    expect(after.get('countersign_job_last_timestamp_seconds')).toBe(7)
    expect(after.get('countersign_job_seconds_bucket{le="2",kind="a"}')).toBe(1)
    expect([...after.keys()]).toEqual([...before.keys()])
  })

  it.each([
    ['a name of the fleet', { name: 'token_issued_total' }],
    ['a name that is none', { name: 'Jobs-total' }],
    ['too many series', { name: 'x', labels: { id: Array.from({ length: 1000 }, (_, index) => `${index}`) } }],
  ])('are refused for %s', (_why, family) => {
    expect(() => make().own.counter({ help: 'Jobs.', ...family })).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
  })
})
