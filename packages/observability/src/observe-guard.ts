import { type Observers, quietly } from './observe.ts'

interface DecidedLike {
  readonly surface: string
  readonly algorithm?: string
  readonly durationMs: number
}

/** What is read of the events of `@countersign/guard`; a test holds it to the package's own union. */
export type GuardEventLike =
  | (DecidedLike & { readonly type: 'admitted' })
  | (DecidedLike & { readonly type: 'denied'; readonly code: string })
  | (DecidedLike & { readonly type: 'error'; readonly code?: string; readonly cause?: unknown })
  | {
      readonly type: 'issuer_found'
      readonly issuer: string
      readonly jwksUrl: string
      readonly revocationsUrl?: string
    }
  | { readonly type: 'issuer_failed'; readonly issuer: string; readonly cause: unknown }
  | { readonly type: 'ended'; readonly reason: string }

/** Turns the events of a guard into metrics and log lines. */
export function observeGuard({ metrics, logger }: Observers): (event: GuardEventLike) => void {
  return quietly((event: GuardEventLike) => {
    if (event.type === 'ended') {
      logger?.debug('a watched principal ended', { event: event.type, reason: event.reason })
      return
    }
    if (event.type === 'issuer_found') {
      const { type, issuer, jwksUrl: url, revocationsUrl } = event
      const state = revocationsUrl === undefined ? 'no_feed' : 'feed_followed'
      logger?.info('the issuer was found', { event: type, issuer, url, state })
      return
    }
    if (event.type === 'issuer_failed') {
      logger?.warn('the issuer could not be used', { event: event.type, issuer: event.issuer, error: event.cause })
      return
    }
    const { type, surface, algorithm: alg = 'unknown', durationMs } = event
    metrics?.verifyDuration.observe({ surface }, durationMs / 1000)
    switch (type) {
      case 'admitted':
        metrics?.verifications.add({ surface, result: 'ok', reason: 'none', alg })
        if (logger?.isEnabled('debug'))
          logger.debug('token admitted', { event: type, surface, alg, duration_ms: durationMs })
        return
      case 'denied':
        metrics?.verifications.add({ surface, result: 'denied', reason: event.code, alg })
        logger?.info('token denied', { event: type, surface, alg, code: event.code, duration_ms: durationMs })
        return
      case 'error':
        metrics?.verifications.add({ surface, result: 'error', reason: event.code ?? 'fault', alg })
        logger?.error('no decision on a token was possible', {
          event: type,
          surface,
          alg,
          code: event.code ?? 'fault',
          duration_ms: durationMs,
          ...(event.cause === undefined ? {} : { error: event.cause }),
        })
    }
  })
}
