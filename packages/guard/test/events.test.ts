import { TokenRejected, type Verifier } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createGuard, type GuardEvent } from '../src/index.ts'
import { makeKey, makeToken, makeVerifier, testClock } from './fixtures.ts'

const key = await makeKey()

async function eventOf(token: string | undefined, verifier: Verifier = makeVerifier(key, testClock())) {
  const events: GuardEvent[] = []
  const guard = createGuard({ verifier, clock: testClock(), onEvent: (event) => events.push(event) })
  await guard.admit({ token })
  expect(events).toHaveLength(1)
  return events[0]
}

const segment = (header: unknown): string =>
  Buffer.from(typeof header === 'string' ? header : JSON.stringify(header)).toString('base64url')

/** A header of so many characters. */
function segmentOf(length: number): string {
  const empty = JSON.stringify({ alg: 'ES256', x: '' }).length
  return segment({ alg: 'ES256', x: 'x'.repeat((length / 4) * 3 - empty) })
}

describe('the algorithm in events', () => {
  const known = [
    ...['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512'],
    ...['PS256', 'PS384', 'PS512', 'HS256', 'HS384', 'HS512', 'none'],
  ]
  it.each(known)('may be %s', async (alg) => {
    expect(await eventOf(`${segment({ alg })}.e30.AA`)).toMatchObject({ algorithm: alg })
  })

  const rows: [what: string, token: string, algorithm: string | undefined][] = [
    ['is other in another case', `${segment({ alg: 'eddsa' })}.e30.AA`, 'other'],
    ['is other if it is no text', `${segment({ alg: ['EdDSA'] })}.e30.AA`, 'other'],
    [
      'is read through both letters that only base64url has',
      `${segment('{"alg":"none","a":"???>>>"}')}.e30.AA`,
      'none',
    ],
    ['is read from a header of 1,024 characters', `${segmentOf(1024)}.e30.AA`, 'ES256'],
    ['is not read from a longer one', `${segmentOf(1028)}.e30.AA`, undefined],
    ['is not there without one', `${segment({ kid: 'x' })}.e30.AA`, undefined],
    ['is not there in null', `${segment(null)}.e30.AA`, undefined],
    ['is not there in a text', `${segment('"alg"')}.e30.AA`, undefined],
    ['is not there in what is no JSON', `${segment('{')}.e30.AA`, undefined],
    ['is not there without a header', '.e30.AA', undefined],
    ['is not there without a dot', segment({ alg: 'none' }), undefined],
  ]
  it.each(rows)('%s', async (_what, token, algorithm) => {
    const event = await eventOf(token)
    expect(event).toMatchObject({ type: 'denied' })
    expect(event !== undefined && 'algorithm' in event ? event.algorithm : undefined).toBe(algorithm)
    expect('algorithm' in (event ?? {})).toBe(algorithm !== undefined)
  })

  it('is read anew after 64 headers, and the same', async () => {
    const events: GuardEvent[] = []
    const guard = createGuard({ verifier: makeVerifier(key, testClock()), onEvent: (event) => events.push(event) })
    const tokens = Array.from(
      { length: 66 },
      (_, index) => `${segment({ alg: index % 2 ? 'RS256' : 'x', index })}.e30.AA`,
    )
    for (const token of [...tokens, ...tokens]) await guard.admit({ token })
    expect(events.map((event) => 'algorithm' in event && event.algorithm)).toEqual(
      [...tokens, ...tokens].map((_, index) => (index % 2 ? 'RS256' : 'other')),
    )
  })
})

describe('an event', () => {
  it('says how long the decision took, whatever it was', async () => {
    const clock = testClock()
    const taking = (seconds: number, end: () => never): Verifier => ({
      async verify() {
        clock.skip(seconds)
        return end()
      },
    })
    const rejection = (): never => {
      throw new TokenRejected('expired', 'x', { where: 'claims.exp', setting: 'clockToleranceSeconds' })
    }
    const fault = new Error('disk on fire')
    const faulty = (): never => {
      throw fault
    }
    const events: GuardEvent[] = []
    const onEvent = (event: GuardEvent): void => void events.push(event)
    await createGuard({ verifier: taking(0.25, rejection), clock, onEvent }).admit({ token: 'x', surface: 'mcp' })
    await expect(createGuard({ verifier: taking(2, faulty), clock, onEvent }).admit({ token: 'x' })).rejects.toBe(fault)
    expect(events).toEqual([
      {
        type: 'denied',
        code: 'expired',
        surface: 'mcp',
        durationMs: 250,
        where: 'claims.exp',
        setting: 'clockToleranceSeconds',
      },
      { type: 'error', cause: fault, surface: 'other', durationMs: 2000 },
    ])
  })

  it('has nothing that is not known', async () => {
    expect(await eventOf(undefined)).toStrictEqual({
      type: 'denied',
      code: 'no_token',
      surface: 'other',
      durationMs: 0,
    })
    const refusing: Verifier = { verify: () => Promise.reject(new TokenRejected('malformed', 'x')) }
    expect(await eventOf('x', refusing)).toStrictEqual({
      type: 'denied',
      code: 'malformed',
      surface: 'other',
      durationMs: 0,
    })
  })

  it('says why keys or revocations were not to be had', async () => {
    const cause = new Error('no route to host')
    for (const code of ['keys_unavailable', 'revocations_stale'] as const) {
      const unable: Verifier = { verify: () => Promise.reject(new TokenRejected(code, 'x', { cause })) }
      expect(await eventOf('x', unable)).toEqual({ type: 'error', code, cause, surface: 'other', durationMs: 0 })
    }
  })

  it('tells of a watched principal that it ended, and why', async () => {
    const clock = testClock()
    const events: GuardEvent[] = []
    const guard = createGuard({ verifier: makeVerifier(key, clock), clock, onEvent: (event) => events.push(event) })
    const decision = await guard.admit({ token: makeToken(key) })
    if (!decision.admitted) throw new Error(decision.code)
    guard.watch(decision.principal, () => {})
    await Promise.resolve()
    clock.advance(600)
    expect(events.at(-1)).toEqual({ type: 'ended', reason: 'expired' })
  })
})
