import { type Observers, quietly } from './observe.ts'

/** What is read of the events of `@countersign/issuer`; a test holds it to the package's own union. */
export type IssuerEventLike =
  | {
      readonly type: 'token_issued'
      readonly grant: string
      readonly audience: string
      readonly clientId: string
      readonly kid: string
      readonly algorithm: string
    }
  | { readonly type: 'token_refused'; readonly grant: string; readonly error: string }
  | {
      readonly type: 'sign_in_failed'
      readonly reason: string
      readonly clientId: string
      readonly userId?: string
      readonly address?: string
    }
  | {
      readonly type: 'client_authentication_failed'
      readonly reason: string
      readonly clientId?: string
      readonly address?: string
    }
  | { readonly type: 'exchange_refused'; readonly reason: string; readonly clientId: string; readonly from?: string }
  | { readonly type: 'rate_limited'; readonly limit: string; readonly counted?: string }
  | {
      readonly type: 'refresh_reused'
      readonly sessionId: string
      readonly clientId: string
      readonly presentedBy: string
      readonly firstUsedAt: number
      readonly usedAgainAt: number
    }
  | { readonly type: 'token_revoked'; readonly jti: string; readonly clientId: string }
  | { readonly type: 'session_ended'; readonly sessionId: string; readonly reason: string }
  | { readonly type: 'foreign_ended'; readonly what: string; readonly id: string }
  | { readonly type: 'user_changed'; readonly action: string; readonly userId: string }
  | { readonly type: 'client_changed'; readonly action: string; readonly clientId: string }
  | { readonly type: 'introspected'; readonly active: boolean }
  | { readonly type: 'refresh_replayed'; readonly sessionId: string; readonly clientId: string }
  | { readonly type: 'feed_advanced'; readonly seq: number; readonly entries: number; readonly at: number }
  | { readonly type: 'revocations_compared'; readonly missing: number; readonly entries: number }
  | { readonly type: 'canary_seen'; readonly latencySeconds: number }
  | { readonly type: 'password_rehashed' }
  | { readonly type: 'pruned'; readonly rows: number }
  | { readonly type: 'fault'; readonly part: string; readonly error: unknown }

/** Answered with a 5xx: the request may have been good. */
const faults = new Set(['server_error', 'temporarily_unavailable'])

function count({ metrics }: Observers, event: IssuerEventLike): void {
  if (metrics === undefined) return
  switch (event.type) {
    case 'token_issued':
      metrics.tokensIssued.add({ grant: event.grant, result: 'ok' })
      return
    case 'token_refused':
      metrics.tokensIssued.add({ grant: event.grant, result: faults.has(event.error) ? 'error' : 'denied' })
      return
    case 'rate_limited':
      metrics.rateLimited.add({ limit: event.limit })
      return
    case 'refresh_reused':
      metrics.refreshReuse.add({})
      return
    case 'token_revoked':
      metrics.revocations.add({ target: 'token' })
      return
    case 'session_ended':
      metrics.revocations.add({ target: 'session' })
      return
    case 'user_changed':
      // A new password outdates every token of the user, as disabling does.
      if (event.action !== 'added') metrics.revocations.add({ target: 'user' })
      return
    case 'client_changed':
      if (event.action === 'disabled') metrics.revocations.add({ target: 'client' })
      return
    case 'feed_advanced':
      metrics.revocationFeedLastEvent.set({}, event.at)
      metrics.revocationEntries.set({}, event.entries)
      return
    case 'revocations_compared':
      metrics.revocationDrift.set({}, event.missing / Math.max(1, event.entries))
      return
    case 'canary_seen':
      metrics.revocationLatency.observe({}, event.latencySeconds)
  }
}

function write({ logger }: Observers, event: IssuerEventLike): void {
  if (logger === undefined) return
  switch (event.type) {
    case 'token_issued':
      // The audit log has each of them; here they would drown everything else.
      logger.debug('token issued', {
        event: event.type,
        grant: event.grant,
        audience: event.audience,
        client: event.clientId,
        kid: event.kid,
        alg: event.algorithm,
      })
      return
    case 'token_refused':
      logger[faults.has(event.error) ? 'warn' : 'info']('token refused', {
        event: event.type,
        grant: event.grant,
        code: event.error,
      })
      return
    case 'sign_in_failed':
      logger.info('sign-in failed', {
        event: event.type,
        reason: event.reason,
        client: event.clientId,
        subject: event.userId,
        address: event.address,
      })
      return
    case 'client_authentication_failed':
      logger.info('client authentication failed', {
        event: event.type,
        reason: event.reason,
        client: event.clientId,
        address: event.address,
      })
      return
    case 'exchange_refused':
      logger.info('exchange refused', {
        event: event.type,
        reason: event.reason,
        client: event.clientId,
        audience: event.from,
      })
      return
    case 'rate_limited':
      logger.warn('attempt not looked at: too many before it', {
        event: event.type,
        limit: event.limit,
        target: event.counted,
      })
      return
    case 'refresh_reused':
      logger.warn('a spent refresh token came again; its session has ended', {
        event: event.type,
        session: event.sessionId,
        client: event.clientId,
        actor: event.presentedBy,
        seconds: event.usedAgainAt - event.firstUsedAt,
      })
      return
    case 'refresh_replayed':
      logger.info('a refresh was asked for again in time and got the same successor', {
        event: event.type,
        session: event.sessionId,
        client: event.clientId,
      })
      return
    case 'feed_advanced':
      logger.debug('the revocation feed went on', { event: event.type, count: event.entries, at: event.at })
      return
    case 'revocations_compared':
      if (event.missing === 0) return
      logger.warn('revocations were missing in the feed and are put there', {
        event: event.type,
        count: event.missing,
      })
      return
    case 'canary_seen':
      logger.debug('the canary came out of the feed', { event: event.type, seconds: event.latencySeconds })
      return
    case 'token_revoked':
      logger.info('token revoked', { event: event.type, token_id: event.jti, client: event.clientId })
      return
    case 'session_ended':
      logger.info('session ended', { event: event.type, session: event.sessionId, reason: event.reason })
      return
    case 'foreign_ended':
      logger.info('another issuer told of an end', { event: event.type, action: event.what, target: event.id })
      return
    case 'user_changed':
      logger.info('user changed', { event: event.type, action: event.action, subject: event.userId })
      return
    case 'client_changed':
      logger.info('client changed', { event: event.type, action: event.action, client: event.clientId })
      return
    case 'introspected':
      logger.debug('token introspected', { event: event.type, result: event.active ? 'active' : 'inactive' })
      return
    case 'password_rehashed':
      logger.debug('password hash renewed', { event: event.type })
      return
    case 'pruned':
      logger.debug('ended rows removed', { event: event.type, count: event.rows })
      return
    case 'fault':
      logger.error('the issuer met a fault', { event: event.type, component: event.part, error: event.error })
  }
}

/** Turns the events of an issuer into metrics and log lines. */
export function observeIssuer(observers: Observers): (event: IssuerEventLike) => void {
  return quietly((event: IssuerEventLike) => {
    count(observers, event)
    write(observers, event)
  })
}
