import type { KekSource } from './kek.ts'

/**
 * Several sources as one: seals with the first, opens with any. How a key-encryption key is replaced, from whatever kind of
 * source to whatever other: put the new one first, seal everything anew, then drop the old ones.
 *
 * An old source that fails (a file that is gone, a service that is away) is passed over while another has the key; when none
 * has, its failure is thrown.
 */
export function keks(current: KekSource, ...previous: readonly KekSource[]): KekSource {
  return {
    current: () => current.current(),
    async find(id, wrapped) {
      let failed: { readonly error: unknown } | undefined
      for (const source of [current, ...previous]) {
        try {
          const kek = await (wrapped === undefined ? source.find(id) : source.find(id, wrapped))
          if (kek !== undefined) return kek
        } catch (error) {
          failed ??= { error }
        }
      }
      if (failed !== undefined) throw failed.error
      return undefined
    },
  }
}
