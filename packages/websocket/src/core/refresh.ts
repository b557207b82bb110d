import type { Principal } from '@countersign/tokens'

/**
 * Milliseconds from now until a client should authenticate again: 20 % of the token's life before its end, at least
 * 60 s, give or take 10 %, so that clients that connected together do not come back together. A token that has less
 * left than that is renewed at half of what is left.
 */
export function refreshInMs({ expiresAt, issuedAt }: Principal, nowSeconds: number, random: () => number): number {
  const leftSeconds = expiresAt - nowSeconds
  const lifeSeconds = expiresAt - (issuedAt ?? nowSeconds)
  const leadSeconds = Math.max(60, lifeSeconds / 5) * (0.9 + random() / 5)
  return Math.max(0, Math.floor(1000 * (leadSeconds < leftSeconds ? leftSeconds - leadSeconds : leftSeconds / 2)))
}
