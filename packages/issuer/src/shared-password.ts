import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import type { IssuerEvent } from './events.ts'
import { normaliseIdentifier } from './identifier.ts'
import { newClientRecord } from './new-client.ts'
import { sharedPasswordFault } from './password-strength.ts'
import type { ClientRecord, UserRecord } from './ports.ts'
import { newId } from './random.ts'
import { refusal } from './refusals.ts'
import { revoking } from './revoking.ts'
import { openSession } from './sign-in.ts'
import { decideTarget, narrowToUser } from './target.ts'
import { type AttemptKey, accountKey, countFailure, inAttemptOrder, originKey, refuseBlocked } from './throttle.ts'
import type { TokenAnswer } from './types.ts'

/** One password that everybody shares who may use a tool: no accounts, no identifiers. */
export interface SharedPassword {
  /** At least 16 characters that cannot be guessed; see `sharedPasswordFault`. */
  readonly password: string
  /** Of the user that whoever knows it signs in as, and of the client that they do so through. */
  readonly name: string
  /** Of the consumer matrix, obtained by sign-in. */
  readonly audience: string
  /** What a sign-in gets that asks for no scope, space-separated. @default all scopes of the audience */
  readonly defaultScope?: string
  /** Exact browser origins whose pages may sign in; what is no browser has none. @default [] */
  readonly origins?: readonly string[]
}

export interface SharedSignInRequest {
  readonly password: string
  /** Space-separated. @default the `defaultScope` of the shared password */
  readonly scope?: string
  /** As for any sign-in. */
  readonly address?: string
  readonly origin?: string
}

/** `changed`: another password than the last time; every session and token of before has ended. */
export type SharedPasswordOutcome = 'first' | 'same' | 'changed'

/** The password as a process holds it: not as text. */
export interface Adopted {
  readonly outcome: SharedPasswordOutcome
  readonly clientId: string
  readonly userId: string
  /** Of the user when it was adopted: another process may adopt another password. */
  readonly generation: number
  readonly account: AttemptKey
  readonly audience: string
  readonly defaultScope: string | undefined
  readonly origins: ReadonlySet<string>
  matches(password: string): boolean
}

const actor = { type: 'system' } as const

/**
 * Takes a password as the shared one. The store keeps its argon2id hash, to know it again: where it is another than the
 * last time, every session ends and every token is outdated, in one transaction.
 *
 * @throws IssuerError `weak_password`; `invalid_name`, `name_taken`, `invalid_target`, `invalid_scope`; `already_disabled` when the operator has disabled
 * the user or the client of that name
 */
export async function adoptSharedPassword(context: Context, shared: SharedPassword): Promise<Adopted> {
  const fault = sharedPasswordFault(shared.password)
  if (fault !== undefined) throw new IssuerError('weak_password', `The shared password cannot be used: ${fault}.`)
  const identifier = normaliseIdentifier(shared.name)
  if (identifier === undefined) throw new IssuerError('invalid_name', 'The name of a shared password cannot be used.')
  const client = await clientOf(context, shared, identifier)
  const granted = decideTarget(context, client, 'sign-in', targetOf(shared, undefined))
  const { user, outcome } = await userOf(context, identifier, shared.password)
  for (const { disabledAt } of [client, user]) {
    if (disabledAt !== null) throw new IssuerError('already_disabled', `"${shared.name}" is disabled.`)
  }
  narrowToUser(granted, user, shared.defaultScope)
  return {
    outcome,
    clientId: client.id,
    userId: user.id,
    generation: user.generation,
    account: accountKey(identifier),
    audience: shared.audience,
    defaultScope: shared.defaultScope,
    origins: new Set(shared.origins),
    matches: comparison(shared.password),
  }
}

/** Both sides under a key of this process: equal lengths to compare, and no digest that is worth anything elsewhere. */
function comparison(password: string): (given: string) => boolean {
  const key = randomBytes(32)
  const digest = (text: string): Buffer => createHmac('sha256', key).update(text.normalize('NFKC')).digest()
  const expected = digest(password)
  return (given) => timingSafeEqual(digest(given), expected)
}

/** Confidential, and without any secret: no other endpoint lets anybody in through it. */
async function clientOf(context: Context, shared: SharedPassword, identifier: string): Promise<ClientRecord> {
  const { clients, users } = context.stores
  const { name, audience } = shared
  const taken = new IssuerError('name_taken', `"${name}" is the name of somebody, or of a client, already.`)
  const known = await clients.byName(name)
  if (known === undefined) {
    // A person's account must not be taken over by a tool that was given their name.
    if ((await users.byIdentifier(identifier)) !== undefined) throw taken
    const client = newClientRecord(context, { name, grants: ['sign_in'], audiences: [audience] }, [], [])
    await context.audit({ action: 'client.add', outcome: 'allowed', actor, target: { type: 'client', id: client.id } })
    if (await clients.add(client)) {
      context.emit({ type: 'client_changed', action: 'added', clientId: client.id })
      return client
    }
  }
  const client = known ?? (await clients.byName(name))
  if (
    client === undefined ||
    client.type !== 'confidential' ||
    client.secrets.length + client.keys.length > 0 ||
    !client.firstParty
  ) {
    throw taken
  }
  return client
}

async function userOf(
  context: Context,
  identifier: string,
  password: string,
): Promise<{ readonly user: UserRecord; readonly outcome: SharedPasswordOutcome }> {
  const { users } = context.stores
  let known = await users.byIdentifier(identifier)
  if (known === undefined) {
    const id = `user_${newId()}`
    const passwordHash = await context.passwords.hash(password)
    const user = {
      id,
      identifier,
      passwordHash,
      generation: 0,
      createdAt: context.now(),
      disabledAt: null,
      synthetic: false,
      scopes: null,
    }
    await context.audit({ action: 'user.add', outcome: 'allowed', actor, target: { type: 'user', id } })
    if (await users.add(user)) {
      context.emit({ type: 'user_changed', action: 'added', userId: id })
      return { user, outcome: 'first' }
    }
    known = await users.byIdentifier(identifier)
  }
  if (known === undefined) throw refusal('fault')
  if (known.disabledAt !== null || (await context.passwords.verify(known.passwordHash, password))) {
    return { user: known, outcome: 'same' }
  }
  const passwordHash = await context.passwords.hash(password)
  await revoking(context, { type: 'user', user: known, because: 'password_set', passwordHash }, actor)
  return { user: (await users.byId(known.id)) ?? known, outcome: 'changed' }
}

const targetOf = (
  { audience, defaultScope }: Pick<SharedPassword, 'audience'> & { readonly defaultScope?: string | undefined },
  scope: string | undefined,
) => {
  const wanted = scope ?? defaultScope
  return wanted === undefined ? { audience } : { audience, scope: wanted }
}

/** Sign-in with the shared password. Throttled as any other. @throws IssuerError */
export async function sharedSignIn(
  context: Context,
  adopted: Adopted | undefined,
  request: SharedSignInRequest,
): Promise<TokenAnswer> {
  if (adopted === undefined) throw refusal('sign_in_not_allowed')
  if (request.origin !== undefined && !adopted.origins.has(request.origin)) throw refusal('origin_not_allowed')
  const client = await context.stores.clients.byId(adopted.clientId)
  if (client === undefined || client.disabledAt !== null) throw refusal('sign_in_not_allowed')
  const target = targetOf(adopted, request.scope)
  const granted = decideTarget(context, client, 'sign-in', target)
  const user = await checkSharedPassword(context, adopted, request)
  return openSession(context, client, user, narrowToUser(granted, user, target.scope))
}

type Reason = Extract<IssuerEvent, { type: 'sign_in_failed' }>['reason']

async function checkSharedPassword(
  context: Context,
  adopted: Adopted,
  request: SharedSignInRequest,
): Promise<UserRecord> {
  const { account, clientId, userId } = adopted
  const from = originKey('sign-in', request.address)
  const keys: readonly AttemptKey[] = from === undefined ? [account] : [account, from]
  return inAttemptOrder(context, keys, async () => {
    const failedBefore = await refuseBlocked(context, keys)
    const user = await context.stores.users.byId(userId)
    const reason = whyNot(adopted, user, request.password)
    if (reason !== undefined || user === undefined) {
      await countFailure(context, keys)
      context.emit({
        type: 'sign_in_failed',
        reason: reason ?? 'unknown_user',
        clientId,
        userId,
        ...(from === undefined ? undefined : { address: from.counted }),
      })
      throw refusal('sign_in_failed')
    }
    if (failedBefore.has(account.key)) await context.stores.throttle.clear(account.key)
    return user
  })
}

function whyNot(adopted: Adopted, user: UserRecord | undefined, password: string): Reason | undefined {
  if (!adopted.matches(password)) return 'wrong_password'
  if (user === undefined) return 'unknown_user'
  if (user.disabledAt !== null) return 'user_disabled'
  return user.generation === adopted.generation ? undefined : 'changed_meanwhile'
}
