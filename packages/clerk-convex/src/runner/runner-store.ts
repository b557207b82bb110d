/** A machine that runs jobs for one workspace, known by its public key alone. */
export interface Runner {
  readonly id: string
  /** Unique among the live runners of a workspace. */
  readonly name: string
  readonly organization: string
  readonly workspace: string
  /** Who approved it: unattended, it works with what this person's role has. */
  readonly owner: string
  /** RFC 7638; unique among live runners. */
  readonly thumbprint: string
  /** What it was approved for. */
  readonly scopes: readonly string[]
  /** Tokens of an earlier epoch are worth nothing. */
  readonly epoch: number
  readonly revoked: boolean
  /** Unix seconds. */
  readonly pairedAt: number
}

/** A device code under way (RFC 8628). */
export interface Pairing {
  /** SHA-256 of the device code, base64url: the code itself is kept by nobody. */
  readonly deviceCodeHash: string
  /** As the person types it in, without its dash. */
  readonly userCode: string
  readonly thumbprint: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly state: 'pending' | 'approved' | 'denied' | 'used'
  /** Unix seconds. */
  readonly startedAt: number
  readonly expiresAt: number
  readonly intervalSeconds: number
  readonly lastPollAt?: number
}

/** What the runner's side is kept in. Each call is one transaction: in Convex a query or a mutation. */
export interface RunnerStore {
  /** False if a pairing has this user code. */
  addPairing(pairing: Pairing): Promise<boolean>
  pairingByDeviceCode(deviceCodeHash: string): Promise<Pairing | undefined>
  pairingByUserCode(userCode: string): Promise<Pairing | undefined>
  notePoll(deviceCodeHash: string, lastPollAt: number, intervalSeconds: number): Promise<void>
  /** Adds the runner and turns its pairing from pending to approved, or does neither. */
  approve(deviceCodeHash: string, runner: Runner): Promise<'approved' | 'not_pending' | 'key_in_use' | 'second_key'>
  /** From one state to the next; false if it is in another. */
  movePairing(deviceCodeHash: string, from: Pairing['state'], to: Pairing['state']): Promise<boolean>
  /** The live runner of a key, else the one revoked last. */
  runnerByKey(thumbprint: string): Promise<Runner | undefined>
  runnerById(id: string): Promise<Runner | undefined>
  /** Counts the epoch up by one, and revokes for good if asked to; undefined if there is no such runner. */
  endTokens(id: string, revoke: boolean): Promise<Runner | undefined>
  /** Counts a wrong user code of a person; says how many there were since `since`, Unix seconds, this one included. */
  countWrongCode(person: string, at: number, since: number): Promise<number>
  /** How many wrong user codes a person gave since then. */
  wrongCodes(person: string, since: number): Promise<number>
}
