import { Gauge, type Registry } from 'prom-client'

/** What is read of one key; structurally `KeyStatus` of `@countersign/keys`. Instants are Unix seconds. */
export interface KeyStatusLike {
  readonly kid: string
  readonly state: string
  readonly activatedAt: number | null
  readonly retiringAt: number | null
  readonly retiredAt: number | null
  readonly revokedAt: number | null
  readonly next: { readonly transition: string; readonly at: number | null } | null
}

/** What is read of a ring; structurally `KeyRing` of `@countersign/keys`. */
export interface KeyRingLike {
  status(): { readonly algorithm: string; readonly keys: readonly KeyStatusLike[] }
}

export interface KeyMetrics {
  /** Shows the keys of this ring, read anew at each scrape. At most 16 rings. The result stops it. */
  follow(ring: KeyRingLike): () => void
}

const mostRings = 16
/** Of a ring; more than a handful never live at once. */
const mostLive = 12
const mostRevoked = 4
const states = new Set(['pending', 'published', 'active', 'retiring', 'retired', 'revoked'])
const algorithms = new Set(['EdDSA', 'Ed25519', 'ES256'])

/** Retired keys are history; of the revoked the last few are shown, the live ones all. */
function shown(keys: readonly KeyStatusLike[]): KeyStatusLike[] {
  const plausible = keys.filter((key) => /^[\w-]{1,64}$/.test(key.kid))
  const revoked = plausible.filter((key) => key.state === 'revoked').slice(-mostRevoked)
  const live = plausible.filter((key) => key.state !== 'revoked' && key.state !== 'retired').slice(-mostLive)
  return [...revoked, ...live]
}

function nextAt(key: KeyStatusLike, transition: string): number | null {
  return key.next?.transition === transition ? key.next.at : null
}

/** `signing_key_info` and the instants of each key. Kids come from the rings themselves, never from a token. */
export function createKeyMetrics(registry: Registry, prefix: string): KeyMetrics {
  const registers = [registry]
  const rings = new Set<KeyRingLike>()
  const info = new Gauge({
    name: `${prefix}signing_key_info`,
    help: 'Keys of the rings: 1 for the state that a key is in.',
    labelNames: ['kid', 'alg', 'state'],
    registers,
    // Registered first, so its collection runs before the others are read.
    collect: () => {
      for (const each of [info, activated, retireAfter, notAfter]) each.reset()
      for (const ring of rings) showRing(ring)
    },
  })
  const instant = (name: string, help: string): Gauge<'kid'> =>
    new Gauge({ name: `${prefix}signing_key_${name}_timestamp_seconds`, help, labelNames: ['kid'], registers })
  const activated = instant('activated', 'When the key began to sign.')
  const retireAfter = instant('retire_after', 'When the key stops signing, or stopped.')
  const notAfter = instant('not_after', 'When the key stops verifying, or stopped; set once it is known.')

  const set = (into: Gauge<'kid'>, kid: string, value: number | null): void => {
    if (value !== null && Number.isFinite(value)) into.set({ kid }, value)
  }
  const showRing = (ring: KeyRingLike): void => {
    const { algorithm, keys } = ring.status()
    for (const key of shown(keys)) {
      const state = states.has(key.state) ? key.state : 'other'
      info.set({ kid: key.kid, alg: algorithms.has(algorithm) ? algorithm : 'other', state }, 1)
      set(activated, key.kid, key.activatedAt)
      set(retireAfter, key.kid, key.retiringAt ?? key.revokedAt ?? nextAt(key, 'retiring'))
      set(notAfter, key.kid, key.retiredAt ?? key.revokedAt ?? nextAt(key, 'retired'))
    }
  }
  return {
    follow(ring) {
      if (rings.size < mostRings) rings.add(ring)
      return () => rings.delete(ring)
    },
  }
}
