import type { Principal } from '@countersign/tokens'
import { errorOf, expectStatus, memberOf } from '../ask.ts'
import { ProbeFailure } from '../failure.ts'
import { agentApi, changeScope, lookScope } from '../scopes.ts'
import type { World } from './world.ts'

/** The person's token for agent-api. */
export async function signIn({ issuer, accounts, ask }: World, signal: AbortSignal): Promise<string> {
  const { person, app } = accounts
  const answer = await ask(`${issuer}/auth/sign-in`, {
    json: { ...person, client_id: app, audience: agentApi.audience, scope: `${lookScope} ${changeScope}` },
    signal,
  })
  if (answer.status === 400 && errorOf(answer) === 'invalid_scope') {
    throw new ProbeFailure('wrong_account', `the account, or the app, does not get ${lookScope} and ${changeScope}`)
  }
  expectStatus(answer, 200, 'the token service')
  return tokenOf(answer.body)
}

/** @throws ProbeFailure `wrong_answer` */
export function tokenOf(body: unknown): string {
  const token = memberOf(body, 'access_token')
  if (typeof token === 'string' && token !== '') return token
  throw new ProbeFailure('wrong_answer', 'the token service answered 200 without a token')
}

/**
 * The token is what a consumer would accept, and a monitor's: with any other account, a probe would have effects, and
 * without the scope for one, a refusal would prove nothing.
 */
export async function verifyToken(world: World, token: string): Promise<Principal> {
  const principal = await admit(world, token)
  if (principal.synthetic !== true) {
    throw new ProbeFailure('wrong_account', 'neither the account nor the app is marked synthetic')
  }
  for (const scope of [lookScope, changeScope]) {
    if (!principal.scopes.has(scope)) throw new ProbeFailure('wrong_account', `the account does not get ${scope}`)
  }
  return principal
}

/** @throws ProbeFailure `unavailable` where nobody can say, `refused` */
export async function admit({ control }: World, token: string): Promise<Principal> {
  const decision = await control.admit({ token, surface: 'other' })
  if (decision.admitted) return decision.principal
  const undecided = decision.code === 'keys_unavailable' || decision.code === 'revocations_stale'
  throw new ProbeFailure(undecided ? 'unavailable' : 'refused', `a guard says of the new token: ${decision.code}`)
}
