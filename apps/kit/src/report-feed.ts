import type { IssuerGuardOptions } from '@countersign/guard'
import type { Logger } from '@countersign/observability'

type OnFeedEvent = NonNullable<NonNullable<IssuerGuardOptions['feed']>['onEvent']>

/** Logs how old the revocation news are, where that changes, and why they could not be had. */
export function reportFeed(logger: Logger): OnFeedEvent {
  return (event) => {
    if (event.type === 'feed_freshness') {
      const seconds = Math.round(event.ageSeconds)
      logger[event.level === 'fresh' ? 'info' : 'warn']('revocation news', { state: event.level, seconds })
    } else if (event.type === 'feed_failed') {
      logger.warn('revocation news could not be had', { code: event.error.code, error: event.error })
    }
  }
}
