import { describe, expect, it, vi } from 'vitest'
import { createHs256Verifier, signHs256, signHs256Sync } from '../src/hs256.ts'
import { createVerifier, explain, signAccessToken, staticKeys } from '../src/index.ts'
import { signJws, verifyJws } from '../src/jws.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, es256Key, goodClaims, tokenWith } from './support/issuer.ts'

// What a browser, a worker and an edge runtime get by import condition: WebCrypto, and nothing that is synchronous.
vi.mock('#engine', () => import('../src/engine.ts'))

const [ed, es] = [ed25519Key('ed'), es256Key('es')]
const keys = staticKeys({ keys: [ed.jwk, es.jwk] })
const clock = new FakeClock()
const options = { issuer: goodClaims.iss, audience: goodClaims.aud, clock }
const syncUnavailable = (message: RegExp): unknown =>
  expect.objectContaining({ name: 'TokensError', code: 'sync_unavailable', message: expect.stringMatching(message) })

describe('without Node', () => {
  it.each([
    ['EdDSA', ed],
    ['ES256', es],
  ] as const)('access tokens are signed and verified, with %s', async (algorithm, key) => {
    const verifier = createVerifier({ ...options, keys, algorithms: ['EdDSA', 'ES256'] })
    const token = await signAccessToken(goodClaims, key.signer)
    expect(() => verifier.verifySync(token)).toThrow(syncUnavailable(new RegExp(`${algorithm} synchronously\\.$`)))
    const principal = await verifier.verify(token)
    expect(principal).toMatchObject({ keyId: key.kid, claims: goodClaims })
    // Out of the memory nothing has to be waited for.
    expect(verifier.verifySync(token)).toBe(principal)
  })

  it('many are verified at the same time, each with its own answer', async () => {
    const verifier = createVerifier({ ...options, keys })
    const tokens = Array.from({ length: 20 }, (_, index) =>
      tokenWith({ jti: `token_${index}` }, index % 4 === 3 ? ed25519Key('ed') : ed),
    )
    const answers = await Promise.allSettled(tokens.map((token) => verifier.verify(token)))
    expect(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.tokenId : answer.reason.where)),
    ).toEqual(tokens.map((_, index) => (index % 4 === 3 ? 'signature' : `token_${index}`)))
  })

  it('what is not base64url or not UTF-8 is refused by its part', async () => {
    const verifier = createVerifier({ ...options, keys })
    const [header, payload, signature] = tokenWith({}, ed).split('.')
    for (const [token, where] of [
      [`_w.${payload}.${signature}`, 'header'],
      [`${header}.A.${signature}`, 'claims'],
      [`${header}.${payload}.+A`, 'signature'],
    ] as const) {
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'malformed', where })
    }
    expect(await explain(tokenWith({ aud: 'billing' }, ed), { ...options, keys })).toMatchObject({ found: 'billing' })
  })

  it('statements are signed and verified', async () => {
    const statement = await signJws('rev-feed+jwt', { seq: 7 }, ed.signer)
    expect((await verifyJws(statement, { type: 'rev-feed+jwt', keys })).claims).toEqual({ seq: 7 })
  })

  it('legacy tokens are signed and verified, but not synchronously', async () => {
    const [key, other] = [{ secret: 's'.repeat(32) }, { secret: 't'.repeat(32) }]
    const verifier = createHs256Verifier({ ...options, keys: [other, key] })
    const token = await signHs256({ ...goodClaims }, key)
    expect((await verifier.verify(token)).subject).toBe('user_1')
    const forged = await signHs256({ ...goodClaims }, { secret: 'u'.repeat(32) })
    await expect(verifier.verify(forged)).rejects.toMatchObject({ code: 'bad_signature' })
    expect(() => verifier.verifySync(token)).toThrow(syncUnavailable(/HMAC\.$/))
    expect(() => signHs256Sync({ ...goodClaims }, key)).toThrow(syncUnavailable(/HMAC\.$/))
  })
})
