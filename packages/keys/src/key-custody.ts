import { createPublicKey, verify } from 'node:crypto'
import { type KekSource, sealedWith } from '@countersign/sealing'
import { importPublicJwk, jwkThumbprint, type PublicJwk } from '@countersign/tokens'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import type { KeyBackend } from './key-backend.ts'
import { mintKey, openKey, resealKey, signRaw } from './key-material.ts'
import { KeysError } from './keys-error.ts'
import type { MintedKey } from './transitions.ts'

/** A key that was opened: its public half comes from where the private one is, and is not believed from the document. */
export interface UsableKey {
  readonly publicJwk: PublicJwk
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>
  /** Absent for a key that is not in this process's memory. */
  readonly signSync?: (data: Uint8Array) => Uint8Array
}

/** Where a ring's private keys are, and what can be done with them there. */
export interface KeyCustody {
  /** Whether whoever has copied the store has the private keys, but for the key-encryption key. */
  readonly leaksWithStore: boolean
  /** @param known every key that the ring has had */
  mint(known: readonly KeyRecord[]): Promise<MintedKey>
  /** @throws KeysError `key_not_ours` */
  open(record: KeyRecord): Promise<UsableKey>
  /** The current key-encryption key's id. @throws KeysError `signer_invalid` when there is none */
  kekId(): Promise<string>
  /** Whether the key is sealed, but not under the current key-encryption key. */
  isStale(record: KeyRecord, kekId: string): boolean
  reseal(record: KeyRecord): Promise<string>
  /** Tells the backend, if there is one, which of its keys are still in use; once for each change of that. */
  retain(document: KeyRingDocument): Promise<void>
}

type Belonging = Pick<KeyRingDocument, 'name' | 'issuer' | 'purpose' | 'algorithm'>

/** Whether the ring still needs the key's private half, wherever that is. */
export function hasPrivateHalf({ state, sealedPrivateKey, heldIn }: KeyRecord): boolean {
  return sealedPrivateKey !== undefined || (heldIn !== undefined && state !== 'retired' && state !== 'revoked')
}

/** Where the private half is, as text: when that changes, the key is opened again. */
export function restsAs({ sealedPrivateKey, heldIn }: KeyRecord): string {
  return sealedPrivateKey ?? (heldIn === undefined ? '' : `${heldIn.backend} ${heldIn.reference}`)
}

/**
 * New keys are made by the backend, if there is one, and otherwise in memory and sealed; old ones are opened wherever they
 * are. So a ring moves from one to the other by a rotation.
 *
 * @throws KeysError `signer_invalid`
 */
export function createKeyCustody(
  identity: Belonging,
  kek: KekSource | undefined,
  backend: KeyBackend | undefined,
): KeyCustody {
  if (kek === undefined && backend === undefined) {
    throw new KeysError('signer_invalid', `the ring ${identity.name} has neither a kek nor a signer`)
  }
  let retained = ''

  function requireKek(): KekSource {
    if (kek === undefined) {
      throw new KeysError('signer_invalid', `the ring ${identity.name} has no kek, and keys that are sealed`)
    }
    return kek
  }

  async function publicJwkOf(half: Pick<PublicJwk, 'kty' | 'crv' | 'x' | 'y'>): Promise<PublicJwk> {
    return importPublicJwk({ ...half, kid: await jwkThumbprint(half), use: 'sig', alg: identity.algorithm })
  }

  async function openHeld(record: KeyRecord, { backend: id, reference }: NonNullable<KeyRecord['heldIn']>) {
    const { kid } = record
    if (backend === undefined || backend.id !== id) {
      throw new KeysError('key_not_ours', `the key ${kid} is held in ${id}, which is not the ring's signer`)
    }
    const key = await backend.open(reference)
    const jwk = await publicJwkOf(key.publicKey)
    const claimed = record.publicJwk
    if (jwk.kid !== kid || claimed.kid !== kid || claimed.alg !== jwk.alg) {
      throw new KeysError('key_not_ours', `${reference} of ${id} is not the key ${kid}`)
    }
    const publicKey = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    const sign = async (data: Uint8Array): Promise<Uint8Array> => {
      const signature = await key.sign(data)
      // What signs elsewhere may be another key, or out of order: verifiers would refuse the token.
      const isOurs =
        identity.algorithm === 'EdDSA'
          ? verify(null, data, publicKey, signature)
          : verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
      if (isOurs) return signature
      throw new KeysError('signature_wrong', `${id} returned a signature that is not by the key ${kid}`)
    }
    return { publicJwk: jwk, sign }
  }

  return {
    leaksWithStore: backend === undefined,
    async mint(known) {
      if (backend === undefined) return await mintKey(identity, requireKek())
      const references = known.flatMap(({ heldIn }) => (heldIn?.backend === backend.id ? [heldIn.reference] : []))
      const reference = await backend.mint(identity.algorithm, references)
      const publicJwk = await publicJwkOf((await backend.open(reference)).publicKey)
      return { kid: publicJwk.kid, publicJwk, heldIn: { backend: backend.id, reference } }
    },
    async open(record) {
      if (record.heldIn !== undefined) return await openHeld(record, record.heldIn)
      const { publicJwk, privateKey } = await openKey(record, identity, requireKek())
      const signSync = (data: Uint8Array): Uint8Array => signRaw(identity.algorithm, data, privateKey)
      return { publicJwk, signSync, sign: async (data) => signSync(data) }
    },
    kekId: async () => (await requireKek().current()).id,
    isStale: ({ sealedPrivateKey }, kekId) => sealedPrivateKey !== undefined && sealedWith(sealedPrivateKey) !== kekId,
    reseal: (record) => resealKey(record, identity, requireKek()),
    async retain({ keys }) {
      if (backend === undefined) return
      const held = keys.filter((key) => key.heldIn?.backend === backend.id && hasPrivateHalf(key))
      const references = held.flatMap(({ heldIn }) => heldIn?.reference ?? [])
      if (references.length === 0 || retained === references.join()) return
      await backend.retain(references)
      retained = references.join()
    },
  }
}
