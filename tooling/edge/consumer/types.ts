// What an adopter's compiler must say, and what it must refuse. Never run.

import { createGuard, type Guard, type GuardEvent } from '@countersign/guard'
import { admitRequest, challenge } from '@countersign/guard/http'
import {
  createVerifier,
  isRejection,
  keycloak,
  type Principal,
  type Profile,
  type RejectionCode,
  staticKeys,
  type Verifier,
} from '@countersign/tokens'
import { type RemoteJwks, remoteJwks } from '@countersign/tokens/jwks'
import { consumers } from './judge.ts'

export const keys: RemoteJwks = remoteJwks('https://auth.example.com/keys', { timeoutMs: 1000 })
const verifier: Verifier = createVerifier({ issuer: 'https://auth.example.com', audience: 'agent-api', keys })
export const guard: Guard<'agents:read'> = createGuard({
  issuer: 'https://auth.example.com',
  consumer: consumers['agent-api'],
  onEvent: (event: GuardEvent) => void event.type,
})
export const foreign = createGuard({ verifier, audience: 'agent-api' } as { verifier: Verifier })
export const own: Profile = { ...keycloak, name: 'own' }

export async function answer(request: Request): Promise<string> {
  const decision = await admitRequest(guard, request, ['agents:read'])
  if (!decision.admitted) return challenge(decision).body.error
  const { principal } = decision
  const scopes: ReadonlySet<string> = principal.scopes
  const client: string | undefined = principal.clientId
  return `${principal.subject} ${client} ${scopes.size}`
}

export function codeOf(error: unknown): RejectionCode | undefined {
  return isRejection(error) ? error.code : undefined
}

export async function refusedByTheCompiler(principal: Principal): Promise<void> {
  // @ts-expect-error a scope that the consumer does not have
  await guard.admit({ token: 'x', scopes: ['agents:wirte'] })
  // @ts-expect-error a verifier needs an audience
  createVerifier({ issuer: 'https://auth.example.com', keys: staticKeys({ keys: [] }) })
  // @ts-expect-error a principal is not for changing
  principal.subject = 'admin'
  const decision = await guard.admit({ token: 'x' })
  // @ts-expect-error nobody was admitted so far
  const admitted: Principal = decision.principal
  // @ts-expect-error not one of the codes
  const code: RejectionCode = 'no_such_code'
  void [code, admitted]
}
