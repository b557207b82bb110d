import type { KeyRing } from '@countersign/keys'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { revoking } from './revoking.ts'
import type { BlastRadius, Keys } from './types.ts'

/** The store of one ring is the store of all: a leak of it leaks the feed's key as well. */
export function createKeys(context: Context): Keys {
  const all = context.feedRing === undefined ? context.rings : [...context.rings, context.feedRing]

  function ringOf(kid: string): KeyRing {
    const ring = all.find((one) => one.status().keys.some((key) => key.kid === kid))
    if (ring === undefined) throw new IssuerError('unknown_key', 'No key ring has a key by that id.')
    return ring
  }

  /** What a compromise takes from each ring. */
  function reached(
    kid: string,
    scope: 'store' | 'key',
  ): readonly { readonly ring: KeyRing; readonly kids: string[] }[] {
    const own = ringOf(kid)
    return (scope === 'key' ? [own] : all).map((ring) => {
      const keys = ring.status().keys.filter(({ state }) => state !== 'retired' && state !== 'revoked')
      const kids = keys.map((key) => key.kid)
      return { ring, kids: scope === 'key' ? [kid] : [...new Set(ring === own ? [kid, ...kids] : kids)] }
    })
  }

  async function blastRadius(kid: string, scope: 'store' | 'key' = 'store'): Promise<BlastRadius> {
    const rings = reached(kid, scope)
    const kids = rings.flatMap((one) => one.kids)
    const live = await context.stores.issued.liveByKey(kids, context.now())
    return { scope, rings: rings.map(({ ring, kids: ofRing }) => ({ ring: ring.name, kids: ofRing })), live }
  }

  return {
    blastRadius,
    async revoke(kid, { reason, scope = 'store', actor = { type: 'operator' } }) {
      const before = await blastRadius(kid, scope)
      const revoked: { ring: string; revokedKids: readonly string[]; activeKid: string }[] = []
      for (const { ring, kids } of reached(kid, scope)) {
        // Of another ring any key will do: with `store` they all go.
        const named = kids.includes(kid) ? kid : kids[0]
        if (named === undefined) continue
        await revoking(context, { type: 'key', ring, kid: named, options: { reason, scope } }, actor)
        const { activeKid, keys } = ring.status()
        const gone = keys.filter((key) => key.state === 'revoked' && kids.includes(key.kid)).map((key) => key.kid)
        revoked.push({ ring: ring.name, revokedKids: gone, activeKid: activeKid ?? '' })
      }
      return { ...before, revoked }
    },
  }
}
