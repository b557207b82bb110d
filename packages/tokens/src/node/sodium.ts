import sodium from 'sodium-native'
import type { Ed25519Engine } from '../engine-contract.ts'

/**
 * libsodium through the optional peer `sodium-native`: about half as fast again as `node:crypto`, synchronous as well.
 *
 * @example A verifier on libsodium
 * createVerifier({ issuer, audience, keys, ed25519: sodiumEd25519() })
 */
export function sodiumEd25519(): Ed25519Engine {
  return {
    name: 'sodium-native',
    importKey: (publicKey) => {
      const key = Uint8Array.from(publicKey)
      const verifySync = (data: Uint8Array, signature: Uint8Array): boolean =>
        sodium.crypto_sign_verify_detached(signature, data, key)
      return { verifySync, verify: async (data, signature) => verifySync(data, signature) }
    },
  }
}
