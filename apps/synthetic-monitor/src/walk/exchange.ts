import type { Principal } from '@countersign/tokens'
import { type Answer, basic, expectStatus, memberOf, parsed } from '../ask.ts'
import { ProbeFailure } from '../failure.ts'
import { agentApi, changeScope, consumer, lookScope } from '../scopes.ts'
import { admit, tokenOf } from './sign-in.ts'
import type { World } from './world.ts'

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'

/** The service's own token, which was "sent" to the monitor, so that the monitor may exchange it. */
export async function ownToken(world: World, signal: AbortSignal): Promise<string> {
  const form = { grant_type: 'client_credentials', audience: consumer.audience, scope: lookScope }
  return granted(await request(world, form, signal))
}

export interface Exchanged {
  readonly token: string
  readonly principal: Principal
}

/** A token for agent-api made of the service's own; it must be worth no more than that, and say who acts. */
export async function exchange(world: World, own: string, signal: AbortSignal): Promise<Exchanged> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: own,
    subject_token_type: accessToken,
    audience: agentApi.audience,
  }
  const wider = await request(world, { ...form, scope: changeScope }, signal)
  if (wider.status === 200) throw tooMuch(`${changeScope}, which its subject token does not have`)
  if (wider.status !== 400) expectStatus(wider, 400, 'the token service')

  const token = granted(await request(world, { ...form, scope: lookScope }, signal))
  const principal = await admit(world, token)
  if (principal.scopes.size !== 1 || !principal.scopes.has(lookScope)) throw tooMuch([...principal.scopes].join(' '))
  if (principal.expiresAt > expiryOf(own)) throw tooMuch('a longer life than its subject token has')
  if (principal.synthetic !== true) throw tooMuch('a token that is not synthetic any more')
  if (principal.actor === undefined) throw new ProbeFailure('wrong_answer', 'the exchanged token does not say who acts')
  return { token, principal }
}

function granted(answer: Answer): string {
  expectStatus(answer, 200, 'the token service')
  return tokenOf(answer.body)
}

function request({ ask, issuer, accounts }: World, form: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  return ask(`${issuer}/oauth/token`, { authorization: basic(accounts.client), form, signal })
}

function tooMuch(what: string): ProbeFailure {
  return new ProbeFailure('accepted', `an exchange gave ${what}`)
}

/** Unix seconds. Read without a check of the signature: the token came from the token service itself a moment ago. */
function expiryOf(token: string): number {
  const [, payload = ''] = token.split('.')
  const exp = memberOf(parsed(Buffer.from(payload, 'base64url').toString()), 'exp')
  if (typeof exp === 'number') return exp
  throw new ProbeFailure('wrong_answer', 'the token of the service account has no expiry')
}

/** Ends the service's own token, and with it what was exchanged for it. */
export async function revokeOwn({ ask, issuer, accounts }: World, own: string, signal: AbortSignal): Promise<void> {
  const answer = await ask(`${issuer}/oauth/revoke`, {
    authorization: basic(accounts.client),
    form: { token: own },
    signal,
  })
  expectStatus(answer, 200, 'the token service')
}
