import type { KeySource, PublicJwk } from '@countersign/tokens'

/** What the feed says of signing keys; a {@link RevocationView} and a follower know. */
export interface KeyNews {
  isKeyRevoked(kid: string): boolean
  successor(kid: string): PublicJwk | undefined
}

/**
 * A key source with the feed's news of keys: a revoked key is in it no more, at once and whatever caches say, and the
 * successor that the feed names is, before any JWKS is read again.
 */
export function withFeedKeys(keys: KeySource, news: KeyNews): KeySource {
  const pick = (kid: string, found: PublicJwk | undefined): PublicJwk | undefined =>
    news.isKeyRevoked(kid) ? undefined : (found ?? news.successor(kid))
  return {
    get: (kid) => pick(kid, keys.get(kid)),
    get ready() {
      return keys.ready ?? true
    },
    async load(kid) {
      if (news.isKeyRevoked(kid)) return undefined
      return pick(kid, keys.get(kid) ?? news.successor(kid) ?? (await keys.load(kid)))
    },
    kids: () => (keys.kids?.() ?? []).filter((kid) => !news.isKeyRevoked(kid)),
  }
}
