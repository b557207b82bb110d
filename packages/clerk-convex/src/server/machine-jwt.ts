import {
  clerk,
  createVerifier,
  isTokensError,
  type Principal,
  type Profile,
  parseScope,
  TokenRejected,
} from '@countersign/tokens'
import { askClerk } from './clerk-check.ts'
import type { JwtVerifier, SessionRules } from './session-verifier.ts'

/** M2M JWTs: `aud` names the service, there is no site, no session; `scopes` is a custom claim. */
const machine: Profile = Object.freeze<Profile>({
  ...clerk,
  name: 'clerk-machine',
  audience: 'aud-or-list',
  refused: {},
  forbidden: [...clerk.forbidden, 'sid', 'azp', 'sts', 'fva'],
  organization: [],
})

/** Longest life of an M2M JWT that is accepted, in seconds: it cannot be revoked. */
const longestLifeSeconds = 86_400

/** Verifies M2M JWTs, for one audience: Clerk's own verifier takes those of any machine for any. */
export function machineJwtVerifier(audience: string, rules: SessionRules): JwtVerifier {
  const { issuer, keys, clock, toleranceSeconds } = rules
  const verifier = createVerifier({
    issuer,
    keys,
    clock,
    audience,
    profile: machine,
    clockToleranceSeconds: toleranceSeconds,
    maxLifeSeconds: longestLifeSeconds,
  })
  const accepted = new WeakMap<Principal, Principal>()
  return {
    async verify(token) {
      const principal = await verifier.verify(token)
      const known = accepted.get(principal)
      if (known !== undefined) return known
      if (!principal.subject.startsWith('mch_')) {
        throw new TokenRejected('wrong_type', 'The token is not that of a machine.', { where: 'claims.sub' })
      }
      const key = keys.get(principal.keyId)
      if (key === undefined) throw new TokenRejected('unknown_key', 'The key was withdrawn.', { where: 'header.kid' })
      await askClerk(token, key, { issuer, audience, clock, toleranceSeconds, categories: ['machine'] })
      const whole = Object.freeze({
        ...principal,
        clientId: principal.subject,
        scopes: readScopes(principal.claims.scopes),
      })
      accepted.set(principal, whole)
      return whole
    },
    recall(token) {
      const principal = verifier.recall?.(token)
      return principal === undefined ? undefined : accepted.get(principal)
    },
  }
}

function readScopes(scopes: unknown): ReadonlySet<string> {
  if (scopes === undefined) return new Set()
  try {
    if (typeof scopes === 'string') return new Set(parseScope(scopes))
  } catch (error) {
    if (!isTokensError(error)) throw error
  }
  throw new TokenRejected('bad_claims', '"scopes" is not a list of scopes in one string.', { where: 'claims.scopes' })
}
