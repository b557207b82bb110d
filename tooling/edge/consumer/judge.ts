// What an adopter writes in a page or a worker: every way to verify that the neutral packages have.

import { defineConsumers } from '@countersign/consumers'
import { createGuard } from '@countersign/guard'
import { auth0, createVerifier, isRejection, jwkThumbprint, type Verifier } from '@countersign/tokens'
import { createHs256Verifier } from '@countersign/tokens/hs256'
import { remoteJwks } from '@countersign/tokens/jwks'

export const consumers = defineConsumers({
  'agent-api': { scopes: ['agents:read'], obtainedBy: 'sign-in' },
})

export interface Case {
  readonly name: string
  readonly token: string
  readonly by: 'verifier' | 'ES256' | 'RS256' | 'HS256' | 'guard'
}

export interface Question {
  readonly issuer: string
  readonly jwksUrl: string
  /** Answers with a redirect to the keys. */
  readonly redirectUrl: string
  /** base64url, of the HS256 tokens. */
  readonly secret: string
  readonly cases: readonly Case[]
}

/** Each case with whom its token speaks for, or why it is refused. */
export async function judge(question: Question): Promise<Record<string, string>> {
  const { issuer, jwksUrl, redirectUrl, secret, cases } = question
  const audience = 'agent-api'
  const keys = remoteJwks(jwksUrl)
  const redirected = remoteJwks(redirectUrl)
  const guard = createGuard({ issuer, consumer: consumers['agent-api'] })
  const verifiers: Record<Exclude<Case['by'], 'guard'>, Verifier> = {
    verifier: createVerifier({ issuer, audience, keys }),
    ES256: createVerifier({ issuer, audience, keys, algorithms: ['ES256'] }),
    RS256: createVerifier({ issuer, audience, keys, profile: auth0 }),
    HS256: createHs256Verifier({ issuer, audience, keys: [{ secret: bytesOf(secret) }] }),
  }
  const verdicts: Record<string, string> = {}
  for (const { name, token, by } of cases) {
    if (by === 'guard') {
      const decision = await guard.admit({ token, scopes: ['agents:read'] })
      verdicts[name] = decision.admitted ? decision.principal.subject : decision.code
    } else verdicts[name] = await verdictOf(verifiers[by], token)
  }
  const lost = createVerifier({ issuer, audience, keys: redirected })
  verdicts['keys behind a redirect'] = await verdictOf(lost, cases[0]?.token ?? '')
  const { keys: published } = (await (await fetch(jwksUrl)).json()) as { keys: { kid: string; kty: 'OKP' }[] }
  const [first = { kid: '', kty: 'OKP' }] = published
  verdicts['the thumbprint of the first key'] = String((await jwkThumbprint(first)) === first.kid)
  keys.close()
  redirected.close()
  await guard.close()
  return verdicts
}

async function verdictOf(verifier: Verifier, token: string): Promise<string> {
  try {
    return (await verifier.verify(token)).subject
  } catch (error) {
    if (isRejection(error)) return error.code
    throw error
  }
}

function bytesOf(base64url: string): Uint8Array {
  return Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))
}
