/** Whose it is and what it is called. */
export interface CredentialPlace {
  readonly owner: string
  readonly name: string
}

/** A sealed secret as it lies in a store. */
export interface CredentialRecord extends CredentialPlace {
  /** Counts the secrets that were stored here, from 1. */
  readonly version: number
  /** Unix seconds. */
  readonly createdAt: number
  /** Unix seconds. */
  readonly updatedAt: number
  /** The envelope; opaque to a store. At most 100,000 characters. */
  readonly sealed: string
}

/** What can be told of a credential without opening it. */
export type CredentialEntry = Omit<CredentialRecord, 'sealed' | 'owner'>

/**
 * Where sealed secrets are kept. Every change is one transaction that is durable when it returns. Several processes may use
 * a store. `describeCredentialStore` of `./testing` is the suite that each has to pass.
 */
export interface CredentialStore {
  /** A name of this store, made at random once: a record that is copied into another store does not open there. */
  identity(): Promise<string>
  read(place: CredentialPlace): Promise<CredentialRecord | undefined>
  /**
   * Writes if what is stored has not changed: `previous` is the `sealed` of the record that was read, undefined for none.
   *
   * @returns false, and nothing is written, when something else is there by now
   */
  replace(record: CredentialRecord, previous: string | undefined): Promise<boolean>
  /** @returns whether there was one */
  remove(place: CredentialPlace): Promise<boolean>
  /** By name. */
  list(owner: string): Promise<readonly CredentialEntry[]>
  /** At most `limit` records of all owners behind `after`, in an order that stays. */
  page(after: CredentialPlace | undefined, limit: number): Promise<readonly CredentialRecord[]>
}
