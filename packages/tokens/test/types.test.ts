import { expect, it } from 'vitest'
import type { AccessTokenClaims, Algorithm, Principal, TokenSigner, VerifierOptions } from '../src/index.ts'
import { goodClaims } from './support/issuer.ts'

// These only have to compile; each @ts-expect-error is a mistake that must not.

// HS256 is not an algorithm of public keys: the confusion of the two is what attackers live on.
// @ts-expect-error not on the list
const symmetric: Algorithm = 'HS256'

// A token has one audience.
// @ts-expect-error a list is no audience
const claims: AccessTokenClaims = { ...goodClaims, aud: ['a', 'b'] }

// Our own tokens are signed with Ed25519 or ES256 only.
// @ts-expect-error RS256 is for foreign issuers
const signer: Pick<TokenSigner, 'algorithm'> = { algorithm: 'RS256' }

// A principal comes out of a cache and belongs to everybody.
export function change(principal: Principal): void {
  // @ts-expect-error frozen
  principal.subject = 'admin'
  // @ts-expect-error the scopes too
  principal.scopes.add('admin')
}

// An audience is always said.
// @ts-expect-error there is no default
const options: VerifierOptions = {
  issuer: 'https://auth.example.com',
  keys: { get: () => undefined, load: async () => undefined },
}

it('compiles', () => expect([symmetric, claims.aud, signer.algorithm, options.issuer]).toHaveLength(4))
