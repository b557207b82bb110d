import type { Clock } from '@countersign/tokens'

/** An instant by the issuer's clock, and by ours when we heard of it. */
interface Sighting {
  readonly issuedAt: number
  readonly atMs: number
  readonly at: number
}

/** How long a head that ran ahead of the others speaks for the issuer's clock: a step back heals within twice as long. */
const windowMs = 300_000

/**
 * The age of what is held, from the issuer's own `issued_at`.
 *
 * What the issuer's clock shows now is at least what ours shows, and at least what any head said plus the time since, by
 * whichever of our clocks went further: a monotonic one stands still while a machine is suspended, and a wall clock may
 * be set back. So neither a delayed feed nor one wrong clock makes old news look fresh.
 */
export class FeedAge {
  readonly #clock: Clock
  #held: Sighting | undefined
  /** The head that ran furthest ahead, of this window and of the one before. */
  #best: Sighting | undefined
  #before: Sighting | undefined
  #windowEndsMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Unix seconds that the issuer's clock shows at least. */
  now(): number {
    const now = this.#clock.now()
    const nowMs = this.#clock.monotonicMs()
    let most = now
    for (const sighting of [this.#held, this.#best, this.#before]) {
      if (sighting !== undefined) most = Math.max(most, reckon(sighting, now, nowMs))
    }
    return most
  }

  /** A head was verified, whatever comes of it. */
  see(issuedAt: number): void {
    const sighting = this.#sight(issuedAt)
    if (sighting.atMs >= this.#windowEndsMs) {
      this.#windowEndsMs = sighting.atMs + windowMs
      this.#before = this.#best
      this.#best = sighting
    } else if (this.#best === undefined || issuedAt > reckon(this.#best, sighting.at, sighting.atMs))
      this.#best = sighting
  }

  /** Everything that was revoked until then is held. */
  hold(issuedAt: number): void {
    if (this.#held === undefined || issuedAt > this.#held.issuedAt) this.#held = this.#sight(issuedAt)
  }

  /** Seconds; Infinity while nothing is held. */
  seconds(): number {
    return this.#held === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.now() - this.#held.issuedAt)
  }

  #sight(issuedAt: number): Sighting {
    return { issuedAt, atMs: this.#clock.monotonicMs(), at: this.#clock.now() }
  }
}

/** What the issuer's clock must show now, after this head. */
function reckon({ issuedAt, atMs, at }: Sighting, now: number, nowMs: number): number {
  return issuedAt + Math.max((nowMs - atMs) / 1000, now - at)
}
