import { describe, expect, it } from 'vitest'
import {
  explainRejection,
  isRejection,
  isTokensError,
  type RejectionCode,
  rejectionCodes,
  remedies,
  TokenRejected,
  TokensError,
  tokensErrorCodes,
  tokensErrorRemedies,
} from '../src/index.ts'

/** Named by metrics, dashboards and other people's code: taking one away or renaming it is a break. */
const decided: Readonly<Record<RejectionCode, readonly [where: string, setting?: string]>> = {
  no_token: ['request'],
  invalid_request: ['request'],
  malformed: ['token'],
  unsupported_alg: ['header.alg', 'algorithms'],
  unknown_key: ['header.kid', 'keys'],
  bad_signature: ['signature', 'keys'],
  wrong_type: ['header.typ', 'profile'],
  wrong_issuer: ['claims.iss', 'issuer'],
  wrong_audience: ['claims.aud', 'audience'],
  bad_claims: ['claims', 'profile'],
  expired: ['claims.exp', 'clockToleranceSeconds'],
  not_yet_valid: ['claims.nbf', 'clockToleranceSeconds'],
  revoked: ['claims', 'isRevoked'],
  insufficient_scope: ['claims.scope', 'scopes'],
  proof_required: ['claims.cnf', 'proof'],
  proof_invalid: ['proof', 'proof'],
  keys_unavailable: ['header.kid', 'keys'],
  revocations_stale: ['revocations', 'revocations'],
}
const sentence = /^[A-Z].{15,}[.>"]$/

describe('rejection codes', () => {
  it('are these and no others', () => {
    expect(rejectionCodes).toEqual(Object.keys(decided))
    expect(Object.keys(remedies)).toEqual(Object.keys(decided))
  })

  it.each(rejectionCodes)('%s says what to do, and explains itself also when a guard decided', (code) => {
    const rejection = new TokenRejected(code, 'Because.')
    expect(rejection.remedy).toMatch(sentence)
    expect(isRejection(rejection)).toBe(true)
    expect(isRejection(Object.assign(new Error('x'), { code }))).toBe(false)
    expect(isRejection({ ...rejection, name: 'TokenRejected', code })).toBe(false)
    expect(isRejection(Object.assign(new TokenRejected(code, 'x'), { code: 'nonsense' }))).toBe(false)
    expect(isRejection(Object.defineProperty(new Error('x'), 'name', { value: 'TokenRejected' }))).toBe(false)
    const [where, setting] = decided[code]
    expect(explainRejection(rejection)).toStrictEqual({
      accepted: false,
      code,
      failed: 'Because.',
      where,
      ...(setting === undefined ? {} : { setting }),
      remedy: rejection.remedy,
    })
  })

  it('carries where, setting and cause', () => {
    const cause = new Error('x')
    const rejection = new TokenRejected('malformed', 'Because.', { where: 'header', setting: 'profile', cause })
    expect(rejection).toMatchObject({ where: 'header', setting: 'profile', cause, message: 'Because.' })
    expect(explainRejection(rejection)).toMatchObject({ where: 'header', setting: 'profile' })
  })
})

describe('codes of misuse', () => {
  it('are these and no others', () => {
    expect(tokensErrorCodes).toEqual([
      'bad_option',
      'insecure_url',
      'bad_key',
      'claims_refused',
      'signing_failed',
      'sync_unavailable',
      'engine_unavailable',
    ])
    expect(Object.keys(tokensErrorRemedies)).toEqual(tokensErrorCodes)
  })

  it.each(tokensErrorCodes)('%s says what to do', (code) => {
    const error = new TokensError(code, 'Because.', { cause: 1 })
    expect(error).toMatchObject({ name: 'TokensError', message: 'Because.', cause: 1 })
    expect(error.remedy).toMatch(sentence)
    expect(isTokensError(error)).toBe(true)
    expect(isTokensError(Object.defineProperty(new Error('x'), 'name', { value: 'TokensError' }))).toBe(false)
    expect(isTokensError({ ...error, name: 'TokensError', code })).toBe(false)
    expect(isTokensError(Object.assign(new Error('x'), { code }))).toBe(false)
    expect(isTokensError(Object.assign(new TokensError(code, 'x'), { code: 'nonsense' }))).toBe(false)
  })
})
