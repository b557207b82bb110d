import type { KeyRing, RevokeOptions } from '@countersign/keys'
import type { RevocationEntry } from '@countersign/revocation'
import type { Context } from './context.ts'
import type { ForeignEnd } from './exchange/policy.ts'
import type {
  AuditActor,
  ClientRecord,
  IssuedRecord,
  IssuerAuditEvent,
  SessionEndReason,
  SessionRecord,
  UserRecord,
  UserStore,
} from './ports.ts'

/** What can be revoked; there is no other way than {@link revoking}. */
export type Revocable =
  | { readonly type: 'token'; readonly issued: IssuedRecord }
  | {
      readonly type: 'session'
      readonly session: Pick<SessionRecord, 'id' | 'clientId' | 'userId'>
      readonly reason: SessionEndReason
      /** In an operator's words, for the record. @default the reason */
      readonly why?: string
    }
  | { readonly type: 'user'; readonly user: UserRecord; readonly because: 'disabled' }
  | {
      readonly type: 'user'
      readonly user: UserRecord
      readonly because: 'password_set'
      readonly passwordHash: string
    }
  | {
      readonly type: 'user'
      readonly user: UserRecord
      readonly because: 'scopes_set'
      readonly scopes: readonly string[] | null
    }
  | { readonly type: 'client'; readonly client: ClientRecord }
  /** At another issuer; `id` has its name in front. */
  | {
      readonly type: 'foreign'
      readonly what: ForeignEnd['type']
      readonly id: string
      /** As tokens name it. */
      readonly party: string
      /** Absent: for good. */
      readonly issuedUntil?: number
      /** Longest life of that issuer's tokens. */
      readonly longestLifeSeconds: number
    }
  | { readonly type: 'key'; readonly ring: KeyRing; readonly kid: string; readonly options: RevokeOptions }

/** A verifier may forgive 60 s of clock difference, on a machine whose clock is as much behind. */
export const revocationSkewSeconds = 120

/** From when on no token that is out now can be accepted anywhere, whatever configuration it was issued under. */
export async function longestUntil(context: Context): Promise<number> {
  const latest = (await context.stores.issued.latestExpiry()) ?? 0
  return Math.max(latest, context.now() + context.longestLifeSeconds) + revocationSkewSeconds
}

/**
 * The one way to revoke: recorded first, then stored together with its entry in the revocation log, then reported.
 * A key is recorded by its ring.
 * @returns false if it had ended before
 */
export async function revoking(context: Context, what: Revocable, actor: AuditActor): Promise<boolean> {
  const event = recordOf(what, actor)
  if (event !== undefined) await context.audit(event)
  return await store(context, what, actor)
}

/**
 * The same where waiting for the log would help a thief: what can be done is done, and what failed is thrown afterwards.
 */
export async function revokingAtOnce(context: Context, what: Revocable, actor: AuditActor): Promise<boolean> {
  const event = recordOf(what, actor)
  const [revoked, recorded] = await Promise.allSettled([
    store(context, what, actor),
    event === undefined ? undefined : context.audit(event),
  ])
  if (revoked.status === 'rejected') throw revoked.reason
  if (recorded.status === 'rejected') throw recorded.reason
  return revoked.value
}

function recordOf(what: Revocable, actor: AuditActor): IssuerAuditEvent | undefined {
  const allowed = { outcome: 'allowed', actor } as const
  switch (what.type) {
    case 'token': {
      const { jti, clientId, audience, sessionId } = what.issued
      const details = { client: clientId, audience, session: sessionId }
      return { ...allowed, action: 'token.revoke', target: { type: 'token', id: jti }, details }
    }
    case 'session': {
      const { session, reason, why = reason } = what
      const details = { client: session.clientId, user: session.userId }
      return { ...allowed, action: 'session.end', target: { type: 'session', id: session.id }, reason: why, details }
    }
    case 'user': {
      const target = { type: 'user', id: what.user.id } as const
      if (what.because !== 'scopes_set') return { ...allowed, action: userActions[what.because], target }
      return { ...allowed, action: 'user.set_scopes', target, details: { scope: what.scopes?.join(' ') ?? '*' } }
    }
    case 'client':
      return { ...allowed, action: 'client.disable', target: { type: 'client', id: what.client.id } }
    case 'foreign': {
      const target = { type: what.what === 'subject' ? 'user' : what.what, id: what.id } as const
      return { ...allowed, action: 'foreign.end', target, details: { issuedUntil: what.issuedUntil ?? null } }
    }
    case 'key':
      return undefined
  }
}

/** Before the largest generation that an entry can hold: no token is issued later. */
const never = 0xffff_fffe

const userActions = { disabled: 'user.disable', password_set: 'user.set_password' } as const

function changeUser(
  users: UserStore,
  what: Extract<Revocable, { type: 'user' }>,
  now: number,
  until: number,
): Promise<boolean> {
  const { id } = what.user
  switch (what.because) {
    case 'disabled':
      return users.disable(id, now, until)
    case 'password_set':
      return users.setPassword(id, what.passwordHash, now, until)
    case 'scopes_set':
      return users.setScopes(id, what.scopes, now, until)
  }
}

async function store(context: Context, what: Revocable, actor: AuditActor): Promise<boolean> {
  const { stores, emit } = context
  const now = context.now()
  switch (what.type) {
    case 'token': {
      const { jti, clientId, expiresAt } = what.issued
      const done = await stores.issued.revoke(jti, now, expiresAt + revocationSkewSeconds)
      if (done) emit({ type: 'token_revoked', jti, clientId })
      return done
    }
    case 'session': {
      const { session, reason } = what
      const done = await stores.sessions.end(session.id, reason, now, await longestUntil(context))
      if (done) emit({ type: 'session_ended', sessionId: session.id, reason })
      return done
    }
    case 'user': {
      const { user } = what
      const until = await longestUntil(context)
      const done = await changeUser(stores.users, what, now, until)
      if (done) emit({ type: 'user_changed', action: what.because, userId: user.id })
      return done
    }
    case 'client': {
      const { id } = what.client
      const done = await stores.clients.disable(id, now, await longestUntil(context))
      if (done) emit({ type: 'client_changed', action: 'disabled', clientId: id })
      return done
    }
    case 'foreign': {
      const { party: id, issuedUntil = never, longestLifeSeconds } = what
      const until = now + longestLifeSeconds + revocationSkewSeconds
      const entry: RevocationEntry =
        what.what === 'session'
          ? { type: 'sid', id, until }
          : { type: 'subject', id, minGeneration: issuedUntil + 1, until }
      await stores.revocations.append([entry], now)
      emit({ type: 'foreign_ended', what: what.what, id: what.id })
      return true
    }
    case 'key': {
      const { revokedKids } = await what.ring.revoke(what.kid, { actor, ...what.options })
      // A store that holds the ring as well has appended them with it; this is for rings that rest elsewhere.
      // The feed's own key is no token's key: as a successor in the feed it would be taken for one.
      if (what.ring !== context.feedRing) await stores.revocations.append(keyEntries(what.ring, revokedKids), now)
      return true
    }
  }
}

/** With the key that signs instead, so that verifiers hold it although their caches last minutes. */
export function keyEntries(ring: KeyRing, kids: readonly string[]): readonly RevocationEntry[] {
  const { activeKid } = ring.status()
  const successor = ring.jwks.document.keys.find(({ kid }) => kid === activeKid)
  return kids.map((id) => (successor === undefined ? { type: 'kid', id } : { type: 'kid', id, successor }))
}
