import { readFile } from 'node:fs/promises'
import type { GuardEvent } from '@countersign/guard'
import type { IssuerEvent } from '@countersign/issuer'
import type { KeyRing, KeyRingEvent } from '@countersign/keys'
import { rejectionCodes } from '@countersign/tokens'
import type { JwksEvent } from '@countersign/tokens/jwks'
import { closeCodes as closeCodesOfSockets } from '@countersign/websocket'
import type { WebSocketEvent } from '@countersign/websocket/server'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  createMetrics,
  createReporter,
  type GuardEventLike,
  type IssuerEventLike,
  type JwksEventLike,
  type KeyRingLike,
  type KeysEventLike,
  type WebSocketEventLike,
} from '../src/index.ts'
import { rejectionReasons } from '../src/label-lists.ts'
import { issuerSecretPrefixes } from '../src/scrub.ts'
import { closeCodes, closeReasons } from '../src/web-socket-metrics.ts'

// This package imports nothing of the others, so that a guard alone does not bring the issuer along. What it knows of
// their events is written out here a second time; these lines stop compiling when the two differ.
describe('what is known of the other packages', () => {
  it('covers every event of theirs', () => {
    expectTypeOf<KeyRingEvent>().toExtend<KeysEventLike>()
    expectTypeOf<IssuerEvent>().toExtend<IssuerEventLike>()
    expectTypeOf<GuardEvent>().toExtend<GuardEventLike>()
    expectTypeOf<JwksEvent>().toExtend<JwksEventLike>()
    expectTypeOf<WebSocketEvent>().toExtend<WebSocketEventLike>()
    expectTypeOf<KeyRing>().toExtend<KeyRingLike>()
  })

  it('knows no event that they have not', () => {
    expectTypeOf<KeysEventLike['type']>().toEqualTypeOf<KeyRingEvent['type']>()
    expectTypeOf<IssuerEventLike['type']>().toEqualTypeOf<IssuerEvent['type']>()
    expectTypeOf<GuardEventLike['type']>().toEqualTypeOf<GuardEvent['type']>()
    expectTypeOf<JwksEventLike['type']>().toEqualTypeOf<JwksEvent['type']>()
    expectTypeOf<WebSocketEventLike['type']>().toEqualTypeOf<WebSocketEvent['type']>()
  })

  it('lets every callback be handed to its package', () => {
    const report = createReporter({})
    const onEvent: [(event: KeyRingEvent) => void, (event: IssuerEvent) => void] = [report.keys, report.issuer]
    const further: [(event: GuardEvent) => void, (event: JwksEvent) => void] = [report.guard, report.jwks]
    expect([...onEvent, ...further]).toHaveLength(4)
  })

  it('has every close code and its reason', () => {
    expect(closeCodes.filter((code) => code >= '4000')).toEqual(Object.values(closeCodesOfSockets).map(String))
    expect(closeReasons).toEqual(Object.keys(closeCodesOfSockets))
  })

  it('has the one list of reasons', () => {
    expect(rejectionReasons).toEqual(rejectionCodes)
  })

  it('knows how the issuer’s secrets begin', async () => {
    const source = await readFile(new URL('../../issuer/src/random.ts', import.meta.url), 'utf8')
    const prefixes = [...source.matchAll(/Prefix = '(\w+)'/g)].map(([, prefix]) => prefix)
    expect(prefixes.length).toBeGreaterThan(1)
    expect([...issuerSecretPrefixes].sort()).toEqual(prefixes.sort())
  })

  it('counts every limit, grant and revocation that the issuer has under its own name', async () => {
    type Limit = Extract<IssuerEvent, { type: 'rate_limited' }>['limit']
    type Grant = Extract<IssuerEvent, { type: 'token_issued' }>['grant']
    const limits: Record<Limit, true> = { account: true, address: true, client: true, hashes: true }
    const grants: Record<Grant, true> = {
      sign_in: true,
      client_credentials: true,
      refresh_token: true,
      token_exchange: true,
    }
    const text = await createMetrics({ process: false }).registry.metrics()
    for (const limit of Object.keys(limits)) expect(text).toContain(`rate_limited_total{limit="${limit}"}`)
    for (const grant of Object.keys(grants)) expect(text).toContain(`token_issued_total{grant="${grant}",result="ok"}`)
  })
})
