import type { PublicJwk } from '@countersign/tokens'
import type { KeyState } from './document.ts'
import type { KeysErrorCode } from './keys-error.ts'
import type { AgeLevel } from './schedule.ts'

/** What a key ring tells, for logs and metrics. No secrets. Instants are Unix seconds. */
export type KeyRingEvent =
  /** A key changed its state, by this instance or, seen on reading the store, by another. */
  | {
      readonly type: 'key.changed'
      readonly ring: string
      readonly kid: string
      readonly from: KeyState | null
      readonly to: KeyState
      readonly at: number
      readonly version: number
    }
  /** A key was revoked; verifiers must refuse it at once, and may take the active key from here without their cache. */
  | {
      readonly type: 'key.revoked'
      readonly ring: string
      readonly kid: string
      readonly reason: string | null
      readonly at: number
      readonly active: PublicJwk
    }
  /** The signing key has reached an age that asks for attention. Once per key and level. */
  | {
      readonly type: 'key.age'
      readonly ring: string
      readonly kid: string
      readonly level: Exclude<AgeLevel, 'ok'>
      readonly ageSeconds: number
    }
  /** The store could not be read, or what it gave was refused. Signing goes on for the rest of the lease. Once per outage. */
  | {
      readonly type: 'store.failed'
      readonly ring: string
      readonly code: KeysErrorCode
      readonly leaseLeftSeconds: number
      readonly error: unknown
    }
  | { readonly type: 'store.recovered'; readonly ring: string }
  /** A due step could not be taken; it is tried again at the next look. Once per step and code. */
  | {
      readonly type: 'schedule.failed'
      readonly ring: string
      readonly step: 'mint' | 'publish' | 'activate' | 'retire'
      /** `step_failed`: not an error of this package, such as one of the key-encryption key. */
      readonly code: KeysErrorCode | 'step_failed'
      readonly error: unknown
    }
  /** The signer could not be told which of its keys may be closed; tried again at the next look. Once per outage. */
  | { readonly type: 'signer.failed'; readonly ring: string; readonly error: unknown }
  /** The standby was activated without waiting for these consumers, since the active key came to its last day. */
  | {
      readonly type: 'key.unconfirmed'
      readonly ring: string
      readonly kid: string
      readonly missing: readonly string[]
    }
