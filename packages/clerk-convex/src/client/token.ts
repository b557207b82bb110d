import type { Clock } from '@countersign/tokens'

/** What a page reads of its own token; its signature is for Convex to check. */
export interface TokenFacts {
  readonly value: string
  /** Unix seconds, by the issuer's clock. */
  readonly expiresAt: number
  readonly issuedAt: number | undefined
  readonly subject: string | undefined
  readonly session: string | undefined
  /** `undefined` where the token names none, as those of a template may. */
  readonly organization: string | undefined
}

/** Of a JWT with an end; undefined for anything else. */
export function readToken(value: string): TokenFacts | undefined {
  const claims = decode(value)
  const expiresAt = claims?.exp
  if (claims === undefined || typeof expiresAt !== 'number' || !Number.isFinite(expiresAt)) return undefined
  const { iat, o } = claims
  const chosen = typeof o === 'object' && o !== null && 'id' in o ? o.id : claims.org_id
  return {
    value,
    expiresAt,
    issuedAt: typeof iat === 'number' && Number.isFinite(iat) ? iat : undefined,
    subject: text(claims.sub),
    session: text(claims.sid),
    organization: text(chosen),
  }
}

function decode(value: string): Record<string, unknown> | undefined {
  const [, payload = '', signature] = value.split('.')
  if (signature === undefined) return undefined
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof claims === 'object' && claims !== null ? { ...claims } : undefined
  } catch {
    // Not base64, or not JSON.
    return undefined
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/**
 * How long a token lives, whatever this machine's clock is set to: one that was just made lives `exp - iat` from now. The
 * age of one out of a cache is only known by that clock, so it is believed for no longer than that either.
 */
export class TokenLife {
  readonly #clock: Clock
  readonly #lifeMs: number
  readonly #sinceMs: number
  readonly #since: number

  constructor(facts: TokenFacts, isFresh: boolean, clock: Clock) {
    const { expiresAt, issuedAt } = facts
    const byClock = expiresAt - clock.now()
    const whole = issuedAt === undefined ? byClock : expiresAt - issuedAt
    this.#clock = clock
    this.#lifeMs = (isFresh ? whole : Math.min(whole, byClock)) * 1_000
    this.#sinceMs = clock.monotonicMs()
    this.#since = clock.now()
  }

  /** Milliseconds, from when it was obtained. */
  get wholeMs(): number {
    return this.#lifeMs
  }

  /** Milliseconds; 0 or less when it has ended. A machine that slept may have stopped one of its clocks. */
  get leftMs(): number {
    const passedMs = Math.max(this.#clock.monotonicMs() - this.#sinceMs, (this.#clock.now() - this.#since) * 1_000)
    return this.#lifeMs - passedMs
  }
}
