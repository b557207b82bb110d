import { type Observers, quietly } from './observe.ts'

/** What is read of the events of `@countersign/tokens/jwks`; a test holds it to the package's own union. */
export type JwksEventLike =
  | {
      readonly type: 'jwks_refreshed'
      readonly url: string
      readonly keys: number
      readonly added: number
      readonly removed: number
    }
  | {
      readonly type: 'jwks_refresh_failed'
      readonly url: string
      readonly reason: string
      readonly status?: number
      readonly keysKept: boolean
      readonly staleSeconds: number
    }
  | { readonly type: 'jwks_expired'; readonly url: string }
  | { readonly type: 'jwks_fetch_limited'; readonly url: string }
  | { readonly type: 'jwks_unknown_kid'; readonly url: string; readonly outcome: string }

/** Turns the events of a JWKS reader into metrics and log lines. */
export function observeJwks({ metrics, logger, clock }: Observers): (event: JwksEventLike) => void {
  const now = (): number => clock?.now() ?? Date.now() / 1000
  return quietly((event: JwksEventLike) => {
    const { type, url } = event
    switch (event.type) {
      case 'jwks_refreshed': {
        metrics?.jwksFetches.add({ result: 'ok' })
        metrics?.jwksLastSuccess.set({}, now())
        const changed = event.added > 0 || event.removed > 0
        logger?.[changed ? 'info' : 'debug']('key set read', { event: type, url, count: event.keys })
        return
      }
      case 'jwks_refresh_failed':
        metrics?.jwksFetches.add({ result: 'error' })
        logger?.[event.keysKept ? 'warn' : 'error']('key set cannot be read', {
          event: type,
          url,
          reason: event.reason,
          status: event.status,
          outcome: event.keysKept ? 'keys_kept' : 'no_keys',
          seconds: event.staleSeconds,
        })
        return
      case 'jwks_expired':
        logger?.error('the keys held are too old to be used any more', { event: type, url })
        return
      case 'jwks_fetch_limited':
        metrics?.unknownKidRefetches.add({ outcome: 'limited' })
        logger?.warn('unknown key ids ask for more fetches than are allowed', { event: type, url })
        return
      case 'jwks_unknown_kid':
        metrics?.unknownKidRefetches.add({ outcome: event.outcome })
        logger?.debug('an unknown key id led to a fetch', { event: type, url, outcome: event.outcome })
    }
  })
}
