import type { AdmitRequest, Guard } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'
import type { Request } from 'express'
import type { OperatorSessions } from '../operator-sessions.ts'
import type { Scope } from '../scopes.ts'
import type { PageCookie } from './cookie.ts'

/** Whom a page is shown to: their token was admitted by the guard, as for every other request. */
export interface Operator {
  readonly name: string
  readonly token: string
  readonly principal: Principal
}

/** Nobody is signed in, or not any more: the page to sign in is shown. */
export class NotSignedIn extends Error {
  override readonly name = 'NotSignedIn'
  /** There was a sign-in, which is over. */
  readonly hasEnded: boolean
  constructor(hasEnded: boolean) {
    super('Nobody is signed in.')
    this.hasEnded = hasEnded
  }
}

/** @throws NotSignedIn; Problem `forbidden` without the scopes, `unavailable` while nobody can say whether the token is good */
export async function operatorOf(
  {
    guard,
    operators,
    cookie,
  }: { readonly guard: Guard<Scope>; readonly operators: OperatorSessions; readonly cookie: PageCookie },
  req: Request,
  scopes: readonly Scope[],
): Promise<Operator> {
  const value = cookie.read(req)
  const session = value === undefined ? undefined : await operators.find(value)
  if (value === undefined || session === undefined) throw new NotSignedIn(value !== undefined)
  const { name, token } = session
  const asked: AdmitRequest<Scope> = { token, scopes, surface: 'http' }
  const decision = await guard.admit(asked)
  if (decision.admitted) return { name, token, principal: decision.principal }
  if (decision.code === 'insufficient_scope') throw new Problem('forbidden', 'Your account may not do this.')
  if (decision.retryAfterSeconds !== undefined) {
    throw new Problem('unavailable', 'Nobody can say now whether your sign-in still holds: try again.')
  }
  operators.forget(value)
  throw new NotSignedIn(true)
}
