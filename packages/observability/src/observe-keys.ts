import { type Observers, quietly } from './observe.ts'

/** What is read of the events of `@countersign/keys`; a test holds it to the package's own union. */
export type KeysEventLike =
  | {
      readonly type: 'key.changed'
      readonly ring: string
      readonly kid: string
      readonly from: string | null
      readonly to: string
      readonly at: number
    }
  | { readonly type: 'key.revoked'; readonly ring: string; readonly kid: string; readonly reason: string | null }
  | {
      readonly type: 'key.age'
      readonly ring: string
      readonly kid: string
      readonly level: string
      readonly ageSeconds: number
    }
  | {
      readonly type: 'store.failed'
      readonly ring: string
      readonly code: string
      readonly leaseLeftSeconds: number
      readonly error: unknown
    }
  | { readonly type: 'store.recovered'; readonly ring: string }
  | {
      readonly type: 'schedule.failed'
      readonly ring: string
      readonly step: string
      readonly code: string
      readonly error: unknown
    }
  | { readonly type: 'signer.failed'; readonly ring: string; readonly error: unknown }
  | {
      readonly type: 'key.unconfirmed'
      readonly ring: string
      readonly kid: string
      readonly missing: readonly string[]
    }

/** Turns the events of key rings into metrics and log lines. The states of the keys are read by `metrics.keys.follow`. */
export function observeKeys({ metrics, logger }: Observers): (event: KeysEventLike) => void {
  return quietly((event: KeysEventLike) => {
    switch (event.type) {
      case 'key.changed': {
        const { type, ring, kid, to, at } = event
        // The first key of a ring is born active; every later one is published first.
        if (to === 'active' && event.from === 'published') {
          metrics?.rotations.add({ result: 'ok' })
          metrics?.rotationLastSuccess.set({}, at)
        }
        logger?.info('a signing key changed its state', { event: type, ring, kid, state: to, at })
        return
      }
      case 'key.revoked':
        metrics?.revocations.add({ target: 'key' })
        logger?.warn('a signing key was revoked', {
          event: event.type,
          ring: event.ring,
          kid: event.kid,
          ...(event.reason === null ? {} : { reason: event.reason }),
        })
        return
      case 'key.age':
        logger?.[event.level === 'warn' ? 'warn' : 'error']('the signing key grows old', {
          event: event.type,
          ring: event.ring,
          kid: event.kid,
          state: event.level,
          seconds: event.ageSeconds,
        })
        return
      case 'key.unconfirmed':
        logger?.warn('a key was activated that some consumers had not confirmed', {
          event: event.type,
          ring: event.ring,
          kid: event.kid,
          waiting_for: event.missing,
        })
        return
      case 'store.failed':
        logger?.error('the key store cannot be used; signing goes on for the rest of the lease', {
          event: event.type,
          ring: event.ring,
          code: event.code,
          seconds: event.leaseLeftSeconds,
          error: event.error,
        })
        return
      case 'store.recovered':
        logger?.info('the key store can be used again', { event: event.type, ring: event.ring })
        return
      case 'signer.failed':
        logger?.warn('the signer could not be told which keys may be closed; it is told again', {
          event: event.type,
          ring: event.ring,
          error: event.error,
        })
        return
      case 'schedule.failed':
        if (event.step !== 'retire') metrics?.rotations.add({ result: 'error' })
        logger?.error('a due step of key rotation failed; it is tried again', {
          event: event.type,
          ring: event.ring,
          action: event.step,
          code: event.code,
          error: event.error,
        })
    }
  })
}
