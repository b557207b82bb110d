import type { Clock, PublicJwk, TokenSigner } from '@countersign/tokens'
import { calendarsOf } from './blackouts/feasibility.ts'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import { parseKeyRingDocument } from './document-schema.ts'
import type { KeyRingEvent } from './events.ts'
import { type KeyCustody, restsAs, type UsableKey } from './key-custody.ts'
import { isKeysError, KeysError } from './keys-error.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import type { KeyRingStore } from './ports.ts'
import { type JwksBody, jwksBody } from './published-jwks.ts'
import type { Ages } from './schedule.ts'
import { createSightings, type Sightings } from './sightings.ts'
import { activeKey, enteredAt, follows, isPublic, isStandby } from './transitions.ts'

export type RingIdentity = Pick<KeyRingDocument, 'name' | 'purpose' | 'issuer' | 'algorithm'>

export interface RingViewOptions {
  readonly identity: RingIdentity
  readonly store: KeyRingStore
  readonly custody: KeyCustody
  readonly clock: Clock
  readonly policy: ResolvedKeyPolicy
  readonly emit: (event: KeyRingEvent) => void
}

/** One version of the ring, checked and ready for use. */
interface Snapshot {
  readonly document: KeyRingDocument
  readonly active: KeyRecord
  readonly jwks: JwksBody
  /** The keys of the JWKS; a key stays the very same object from version to version. */
  readonly publicKeys: ReadonlyMap<string, PublicJwk>
}

/** A key that this process has opened. The signer outlives its key's term by the lease, for whoever holds it just then. */
interface HeldKey {
  readonly publicJwk: PublicJwk
  /** Where its private half was when it was opened. */
  readonly restsAs: string
  readonly signer: TokenSigner
  usableUntilMs: number
}

/** What this process knows of the ring: the newest version that it has seen and found authentic, and how fresh that is. */
export interface RingView {
  readonly snapshot: Snapshot
  readonly ages: Sightings & Ages
  /** Unix seconds by the store's clock, or by the local one. */
  now(): number
  /** How far the local clock is from the store's; 0 when the store has none. */
  skewSeconds(): number
  leaseLeftSeconds(): number
  signer(): TokenSigner
  /** Reads the store; calls that come meanwhile share one further reading. */
  refresh(): Promise<void>
  /** Takes in a version that this process has stored itself. */
  adopt(document: KeyRingDocument, askedAtMs: number): Promise<void>
}

/** @throws KeysError `lease_expired` */
export function refuseWithoutLease(leaseLeftSeconds: () => number, name: string): void {
  if (leaseLeftSeconds() > 0) return
  throw new KeysError('lease_expired', `the ring ${name} was last read longer ago than the signer lease allows`)
}

/** The view has no snapshot, and no other use than `adopt` and `refresh`, until one of these has succeeded. */
export function createRingView({ identity, store, custody, clock, policy, emit }: RingViewOptions): RingView {
  const sightings = createSightings(clock)
  let snapshot: Snapshot | undefined
  let held = new Map<string, HeldKey>()
  /** Readings and adoptions in the order of their beginning: an older answer is told from a rolled-back store by it. */
  let sequence = 0
  let adoptedAt = 0
  let lease: { readonly ms: number; readonly now: number } | undefined
  let storeTime: { readonly now: number; readonly ms: number } | undefined
  let failing = false

  /** The wall clock's lead over the monotonic one, at its least and at its most so far: apart once it has stepped. */
  let leastLead = Number.POSITIVE_INFINITY
  let mostLead = Number.NEGATIVE_INFINITY
  function sampleLead(): number {
    const seconds = clock.monotonicMs() / 1000
    const lead = clock.now() - seconds
    leastLead = Math.min(leastLead, lead)
    mostLead = Math.max(mostLead, lead)
    return seconds
  }

  /**
   * Instants that are stored come from here. Never behind what this process has ever taken for the time: an instant that
   * is too late makes others wait longer, one that is too early, after the wall clock has stepped back, would let them
   * activate or retire a key before its time.
   */
  function now(): number {
    const seconds = sampleLead()
    return storeTime === undefined ? mostLead + seconds : storeTime.now + seconds - storeTime.ms / 1000
  }

  /** For judging how long ago a stored instant was: never ahead of the time, should the wall clock have stepped forward. */
  function nowAtLeast(): number {
    const seconds = sampleLead()
    return storeTime === undefined ? leastLead + seconds : storeTime.now + seconds - storeTime.ms / 1000
  }

  function leaseLeftSeconds(): number {
    if (lease === undefined) return 0
    // By both clocks: the monotonic one stands still while a machine is suspended.
    const elapsed = Math.max((clock.monotonicMs() - lease.ms) / 1000, clock.now() - lease.now)
    return policy.signerLeaseSeconds - elapsed
  }

  function signingFor(active: KeyRecord): number {
    return Math.max(sightings.elapsed(active), now() - enteredAt(active))
  }

  function signerOf({ kid }: KeyRecord, key: UsableKey, term: { usableUntilMs: number }): TokenSigner {
    const refuseUnlessSigning = (): void => {
      refuseWithoutLease(leaseLeftSeconds, identity.name)
      if (clock.monotonicMs() > term.usableUntilMs) throw new KeysError('not_signing', `the key ${kid} no longer signs`)
      const active = snapshot?.active
      if (policy.pastMaxAge === 'refuse' && active !== undefined && signingFor(active) > policy.maxAgeSeconds) {
        throw new KeysError('key_too_old', `the key ${kid} is older than ${policy.maxAgeSeconds} s`)
      }
    }
    const { algorithm } = identity
    const { signSync } = key
    if (signSync === undefined) {
      const sign = async (data: Uint8Array): Promise<Uint8Array> => {
        refuseUnlessSigning()
        const signature = await key.sign(data)
        // It may have been revoked while the signature was under way.
        refuseUnlessSigning()
        return signature
      }
      return Object.freeze({ kid, algorithm, sign })
    }
    const signNow = (data: Uint8Array): Uint8Array => {
      refuseUnlessSigning()
      return signSync(data)
    }
    return Object.freeze({ kid, algorithm, signSync: signNow, sign: async (data: Uint8Array) => signNow(data) })
  }

  function checkIdentity(document: KeyRingDocument): void {
    for (const member of ['name', 'purpose', 'issuer', 'algorithm'] as const) {
      if (document[member] !== identity[member]) {
        throw new KeysError(
          'ring_mismatch',
          `the stored ring ${identity.name} has the ${member} ${document[member]}, not ${identity[member]}`,
        )
      }
    }
  }

  /** Opens every key that is or will be public, so that each is known to be ours, and none is opened twice. */
  async function holdKeys(document: KeyRingDocument): Promise<Map<string, HeldKey>> {
    const next = new Map<string, HeldKey>()
    for (const record of document.keys) {
      if (!isPublic(record) && !isStandby(record)) continue
      const known = held.get(record.kid)
      if (known !== undefined && known.restsAs === restsAs(record)) {
        next.set(record.kid, known)
        continue
      }
      const opened = await custody.open(record)
      if (known !== undefined) {
        // Sealed anew under another key-encryption key: the key itself, and whoever holds its objects, stay.
        next.set(record.kid, Object.assign(known, { restsAs: restsAs(record) }))
        continue
      }
      const term = { usableUntilMs: 0 }
      const signer = signerOf(record, opened, term)
      next.set(record.kid, Object.assign(term, { publicJwk: opened.publicJwk, restsAs: restsAs(record), signer }))
    }
    return next
  }

  /** Until when each key's signer works: the active one's for good, its predecessor's for the lease, no other. */
  function setTerms(document: KeyRingDocument, next: ReadonlyMap<string, HeldKey>): void {
    const states = new Map(document.keys.map((record) => [record.kid, record]))
    for (const keys of [held, next]) {
      for (const [kid, key] of keys) {
        const record = states.get(kid)
        if (record?.state === 'active') key.usableUntilMs = Number.POSITIVE_INFINITY
        else if (record?.state !== 'retiring') key.usableUntilMs = 0
        else {
          const leftSeconds = Math.max(0, policy.signerLeaseSeconds - sightings.elapsed(record))
          key.usableUntilMs = Math.min(key.usableUntilMs, clock.monotonicMs() + leftSeconds * 1000)
        }
      }
    }
  }

  function tell(before: KeyRingDocument | undefined, after: Snapshot): void {
    const known = new Map(before?.keys.map((key) => [key.kid, key.state]))
    for (const key of after.document.keys) {
      const from = known.get(key.kid) ?? null
      if (from === key.state) continue
      const told = { ring: identity.name, kid: key.kid, at: enteredAt(key) }
      // What a process finds at its start has not just happened.
      if (before !== undefined || after.document.version === 1) {
        emit({ type: 'key.changed', ...told, from, to: key.state, version: after.document.version })
      }
      const active = after.publicKeys.get(after.active.kid)
      if (key.state === 'revoked' && before !== undefined && active !== undefined) {
        emit({ type: 'key.revoked', ...told, reason: key.revokedReason ?? null, active })
      }
    }
  }

  async function take(document: KeyRingDocument, begun: number, askedAtMs: number): Promise<void> {
    checkIdentity(document)
    const current = snapshot?.document
    if (current !== undefined && document.version !== current.version && !follows(current, document)) {
      // An answer to an older question than the one that brought the current version.
      if (begun < adoptedAt) return
      throw new KeysError(
        'ring_rolled_back',
        `the stored ring ${identity.name} is at version ${document.version}, before or beside version ${current.version}`,
      )
    }
    if (current === undefined || document.version > current.version) {
      const active = activeKey(document)
      const next = await holdKeys(document)
      // Another adoption may have come first while the keys were being opened.
      if (snapshot !== undefined && snapshot.document.version >= document.version) return
      sightings.observe(document, nowAtLeast(), lease?.ms)
      setTerms(document, next)
      held = next
      const visible = document.keys.filter(isPublic).flatMap(({ kid }) => next.get(kid)?.publicJwk ?? [])
      const publicKeys = new Map(visible.map((key) => [key.kid, key]))
      snapshot = { document, active, jwks: jwksBody(visible), publicKeys }
      adoptedAt = begun
      tell(current, snapshot)
    }
    if (lease === undefined || askedAtMs >= lease.ms) {
      lease = { ms: askedAtMs, now: clock.now() - (clock.monotonicMs() - askedAtMs) / 1000 }
    }
    if (failing) emit({ type: 'store.recovered', ring: identity.name })
    failing = false
  }

  async function read(): Promise<void> {
    sequence += 1
    const begun = sequence
    const askedAtMs = clock.monotonicMs()
    // At every look, so that a step is noticed while nothing else happens, and while the store is away.
    sampleLead()
    try {
      const found = await store.read(identity.name)
      const time = await store.now?.()
      if (time !== undefined) storeTime = { now: time, ms: clock.monotonicMs() }
      if (found === undefined) throw new KeysError('ring_rolled_back', `the stored ring ${identity.name} is gone`)
      await take(parseKeyRingDocument(found), begun, askedAtMs)
    } catch (error) {
      const failure = isKeysError(error)
        ? error
        : new KeysError('store_failed', `the ring ${identity.name} could not be read`, { cause: error })
      if (!failing) {
        const leaseLeft = Math.max(0, leaseLeftSeconds())
        emit({ type: 'store.failed', ring: identity.name, code: failure.code, leaseLeftSeconds: leaseLeft, error })
      }
      failing = true
      throw failure
    }
  }

  let reading: Promise<void> | undefined
  let next: Promise<void> | undefined
  function refresh(): Promise<void> {
    if (reading === undefined) {
      reading = read().finally(() => {
        reading = undefined
      })
      return reading
    }
    next ??= reading
      .catch(() => {})
      .then(() => {
        next = undefined
        return refresh()
      })
    return next
  }

  return {
    get snapshot() {
      if (snapshot === undefined) throw new KeysError('ring_invalid', `the ring ${identity.name} was not read yet`)
      return snapshot
    },
    ages: { ...sightings, signingFor, now, calendars: calendarsOf(policy) },
    now,
    skewSeconds: () => (storeTime === undefined ? 0 : Math.abs(clock.now() - now())),
    leaseLeftSeconds,
    signer() {
      const signer = snapshot === undefined ? undefined : held.get(snapshot.active.kid)?.signer
      if (signer === undefined) throw new KeysError('not_signing', `the ring ${identity.name} has no key to sign with`)
      return signer
    },
    refresh,
    async adopt(document, askedAtMs) {
      // Somebody may have built on it, and a reading have seen that, before the store's answer came back.
      if (snapshot !== undefined && snapshot.document.version >= document.version) return
      sequence += 1
      await take(document, sequence, askedAtMs)
    },
  }
}
