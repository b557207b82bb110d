import type { KeyObject } from 'node:crypto'
import type { KekSource, KeyEncryptionKey } from '@countersign/sealing'
import { type Envelope, kekNameOf, type NamedKey, unwrapDataKey, wrappingKey } from './envelope.ts'
import { CredentialsError } from './errors.ts'
import { Recent } from './recent.ts'

/** Wrapping keys that are held: one for each key-encryption key in use. */
const mostWrapping = 64

/** Finds the keys of envelopes, and holds them: key objects only, never a secret that they protect. */
export class EnvelopeKeys {
  readonly #kek: KekSource
  readonly #wrapping = new Recent<string, KeyObject>(mostWrapping)
  readonly #data: Recent<string, KeyObject>

  constructor(kek: KekSource, mostDataKeys: number) {
    this.#kek = kek
    this.#data = new Recent(mostDataKeys)
  }

  /** The key that wraps now. */
  async current(): Promise<NamedKey> {
    const kek = await this.#kek.current()
    return { name: kekNameOf(kek.id, kek.wrapped), wrapping: this.#held(kek) }
  }

  /** The data key, if it was used lately. */
  dataKeyNow(envelope: Envelope): KeyObject | undefined {
    return this.#data.get(heldAs(envelope))
  }

  /** @throws CredentialsError `kek_unknown`, `malformed`, `not_authentic`; what the source throws */
  async dataKey(envelope: Envelope, bound: Buffer): Promise<KeyObject> {
    const wrapping = this.#wrapping.get(envelope.kekName) ?? (await this.#find(envelope))
    const dataKey = unwrapDataKey(envelope, wrapping, bound)
    this.#data.set(heldAs(envelope), dataKey)
    return dataKey
  }

  forget(): void {
    this.#wrapping.clear()
    this.#data.clear()
  }

  async #find({ kid, kekWrapped }: Envelope): Promise<KeyObject> {
    const kek = await (kekWrapped === undefined ? this.#kek.find(kid) : this.#kek.find(kid, kekWrapped))
    if (kek === undefined) throw new CredentialsError('kek_unknown', `no key-encryption key has the id ${kid}`)
    return this.#held(kek)
  }

  #held(kek: KeyEncryptionKey): KeyObject {
    const name = kekNameOf(kek.id, kek.wrapped)
    const wrapping = this.#wrapping.get(name) ?? wrappingKey(kek)
    this.#wrapping.set(name, wrapping)
    return wrapping
  }
}

/** With the name, so that what was held does not hide a changed one. */
const heldAs = ({ kekName, wrappedKey }: Envelope): string => `${kekName}.${wrappedKey}`
