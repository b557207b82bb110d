import { randomUUID } from 'node:crypto'
import type { KekSource } from '@countersign/sealing'
import { type AccessTokenClaims, type Clock, type KeySource, signAccessToken, systemClock } from '@countersign/tokens'
import type { Calendar } from './blackouts/calendar.ts'
import { calendarsOf, refuseImpossibleBlackouts } from './blackouts/feasibility.ts'
import type { KeyRecord } from './document.ts'
import type { KeyRingEvent } from './events.ts'
import type { KeyBackend } from './key-backend.ts'
import { createKeyCustody } from './key-custody.ts'
import type { KeyRing, KeyRingStatus, KeyStatus, PublishedJwks, TokenRequest } from './key-ring.ts'
import { isKeysError, KeysError } from './keys-error.ts'
import { type KeyPolicy, resolvePolicy } from './policy.ts'
import type { KeyAudit, KeyConfirmations, KeyRingStore } from './ports.ts'
import { cacheControl, jwksHeaders } from './published-jwks.ts'
import { createRingCommands } from './ring-commands.ts'
import { startRingScheduler } from './ring-scheduler.ts'
import { createRingView, type RingIdentity, refuseWithoutLease } from './ring-view.ts'
import { ageLevel, propagationLeft, schedule } from './schedule.ts'
import { enteredAt, isStandby } from './transitions.ts'

export interface KeyRingOptions {
  readonly store: KeyRingStore
  /** Seals the private keys. Needed unless there is a signer. */
  readonly kek?: KekSource
  /**
   * Makes and keeps the private keys elsewhere, such as `vaultTransit` of `./vault`. With a `kek` beside it, keys that are
   * sealed still go on until they retire.
   */
  readonly signer?: KeyBackend
  /** `iss` of every token; a ring belongs to one issuer for good. */
  readonly issuer: string
  /** 1 to 128 characters; several rings may share a store. @default 'tokens' */
  readonly name?: string
  /** @default 'token' */
  readonly purpose?: 'token' | 'feed'
  /** One for the life of the ring. @default 'EdDSA' */
  readonly algorithm?: 'EdDSA' | 'ES256'
  readonly policy: KeyPolicy
  /** Awaited before each change; what it cannot record does not happen. */
  readonly audit?: KeyAudit
  /** Asked before a standby is activated: all of them, if several. */
  readonly confirmations?: KeyConfirmations | readonly KeyConfirmations[]
  readonly onEvent?: (event: KeyRingEvent) => void
  /** @default systemClock */
  readonly clock?: Clock
  /** Whether this process rotates the ring when it is due; it looks at the store in any case. @default true */
  readonly scheduler?: boolean
}

/**
 * Opens a key ring, and creates it if the store has none by that name: its first key signs at once. Then it looks at the
 * store every `pollSeconds` and, unless told not to, keeps a standby published, activates it after `rotateAfterSeconds`
 * and retires old keys, until closed.
 *
 * @throws KeysError `policy_invalid`, `overlap_impossible`, `propagation_impossible`, `blackout_impossible`, `demo_refused`; `ring_mismatch`,
 * `ring_invalid`, `key_not_ours`; `store_failed`, `audit_failed`; SealingError when the key-encryption key is unusable
 */
export async function createKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { store, issuer, name = 'tokens', purpose = 'token', algorithm = 'EdDSA', clock = systemClock } = options
  const policy = resolvePolicy(options.policy, issuer)
  refuseImpossibleBlackouts(policy, calendarsOf(policy), clock.now())
  const identity: RingIdentity = { name, purpose, issuer, algorithm }
  const emit = (event: KeyRingEvent): void => {
    try {
      options.onEvent?.(event)
    } catch {
      // A listener's fault must not stop a rotation half way.
    }
  }
  const { audit } = options
  const confirmations = [options.confirmations ?? []].flat()
  const custody = createKeyCustody(identity, options.kek, options.signer)
  const view = createRingView({ identity, store, custody, clock, policy, emit })
  const commands = createRingCommands({ identity, view, store, custody, clock, policy, audit, confirmations, emit })
  await commands.open()

  let closed = false
  function refuseClosed(): void {
    if (closed) throw new KeysError('closed', `the key ring ${name} was closed`)
  }
  const stopWatching = store.onChange?.(() => {
    // The view tells of failures itself.
    if (!closed) view.refresh().catch(() => {})
  })
  const rotates = options.scheduler ?? true
  const scheduler = startRingScheduler({ name, view, commands, clock, policy, rotates, emit })

  /** Whoever cannot wait is refused, but not the next one: a machine that was suspended need not wait for the next look. */
  function refuseStale(): void {
    refuseClosed()
    if (view.leaseLeftSeconds() <= 0) view.refresh().catch(() => {})
    refuseWithoutLease(view.leaseLeftSeconds, name)
  }
  function freshJwks(): typeof view.snapshot.jwks {
    refuseStale()
    return view.snapshot.jwks
  }
  const jwks: PublishedJwks = {
    get document() {
      return freshJwks().document
    },
    get body() {
      return freshJwks().body
    },
    get etag() {
      return freshJwks().etag
    },
    get headers() {
      const { etag } = freshJwks()
      const revoked = view.snapshot.document.keys.filter(({ state }) => state === 'revoked')
      const since = Math.min(...revoked.map((key) => view.ages.elapsed(key)))
      return jwksHeaders(etag, cacheControl(policy, since))
    },
  }

  /** A flood of unknown key ids must not become a flood of readings. */
  let lastLoadMs = Number.NEGATIVE_INFINITY
  const keys: KeySource = {
    get: (kid) => view.snapshot.publicKeys.get(kid),
    async load(kid) {
      const held = view.snapshot.publicKeys.get(kid)
      if (held !== undefined || closed || clock.monotonicMs() - lastLoadMs < policy.pollSeconds * 100) return held
      lastLoadMs = clock.monotonicMs()
      await view.refresh().catch(() => {})
      return view.snapshot.publicKeys.get(kid)
    },
  }

  async function sign(request: TokenRequest): Promise<string> {
    refuseClosed()
    if (request.iss !== undefined && request.iss !== issuer) {
      throw new KeysError('wrong_issuer', `the ring ${name} signs for ${issuer} only`)
    }
    const now = Math.floor(clock.now())
    const life = policy.accessTokenLifeSeconds
    const iat = request.iat ?? now
    const exp = request.exp ?? iat + life
    // The second bound is against an `iat` in the future: a key is withdrawn in time for tokens issued now.
    if (exp - iat > life || exp - now > life + policy.skewSeconds) {
      throw new KeysError('life_too_long', `a token of the ring ${name} lives ${life} s at most`)
    }
    const claims: AccessTokenClaims = { ...request, iss: issuer, iat, exp, jti: request.jti ?? randomUUID() }
    try {
      return await signAccessToken(claims, view.signer())
    } catch (error) {
      if (!isKeysError(error) || error.code !== 'lease_expired') throw error
    }
    await view.refresh().catch((error: unknown) => {
      throw new KeysError('lease_expired', `the ring ${name} cannot be read, and the signer lease is over`, {
        cause: error,
      })
    })
    return await signAccessToken(claims, view.signer())
  }

  const calendarOf = ({ state }: KeyRecord): Calendar =>
    view.ages.calendars[state === 'pending' ? 'publication' : 'activation']

  function activatableAt(key: KeyRecord): number {
    const known = Math.max(enteredAt(key), view.now() + propagationLeft(key, policy, view.ages))
    const from = Math.max(known, view.now())
    const opens = view.ages.calendars.activation.nextOpen(from)
    return opens > from ? opens : known
  }

  function nextOf(key: KeyRecord, steps: ReturnType<typeof schedule>): KeyStatus['next'] {
    const step = steps.find((one) => one.kind !== 'mint' && one.kid === key.kid)
    const propagating = key.state === 'published' ? Math.max(0, propagationLeft(key, policy, view.ages)) : 0
    const earliest = view.now() + propagating
    const inBlackout = isStandby(key) && calendarOf(key).nextOpen(earliest) > earliest
    const waiting = [...(propagating > 0 ? ['propagation'] : []), ...(inBlackout ? ['blackout'] : [])]
    if (step !== undefined) {
      const transition = ({ mint: 'pending', publish: 'published', activate: 'active', retire: 'retired' } as const)[
        step.kind
      ]
      const waitingFor = [...waiting, ...(key.state === 'published' ? commands.missing(key.kid) : [])]
      return { transition, at: rotates ? view.now() + Math.max(0, step.inSeconds) : null, waitingFor }
    }
    if (key.state !== 'active') return null
    const handover = steps.find(({ kind }) => kind === 'activate')
    const at = handover === undefined || !rotates ? null : view.now() + Math.max(0, handover.inSeconds)
    return { transition: 'retiring', at, waitingFor: handover === undefined ? ['standby'] : [] }
  }

  function status(): KeyRingStatus {
    const { document, active } = view.snapshot
    const now = view.now()
    const opens = view.ages.calendars.activation.nextOpen(now)
    const steps = schedule(document, policy, view.ages)
    return {
      name,
      algorithm,
      version: document.version,
      activeKid: active.kid,
      age: ageLevel(view.ages.signingFor(active), policy),
      leaseLeftSeconds: Math.max(0, view.leaseLeftSeconds()),
      blackoutUntil: opens > now ? opens : null,
      keys: document.keys.map((key) => ({
        kid: key.kid,
        state: key.state,
        createdAt: key.createdAt,
        publishedAt: key.publishedAt ?? null,
        activatedAt: key.activatedAt ?? null,
        retiringAt: key.retiringAt ?? null,
        retiredAt: key.retiredAt ?? null,
        revokedAt: key.revokedAt ?? null,
        activatableAt: isStandby(key) ? activatableAt(key) : null,
        next: nextOf(key, steps),
      })),
    }
  }

  let closing: Promise<void> | undefined
  return {
    name,
    issuer,
    algorithm,
    policy,
    jwks,
    keys,
    get signer() {
      refuseStale()
      return view.signer()
    },
    sign,
    status,
    async rotate(requested = {}) {
      refuseClosed()
      return await commands.rotate(requested)
    },
    async activate(kid, requested = {}) {
      refuseClosed()
      await commands.activate(kid, requested)
    },
    async revoke(kid, requested) {
      refuseClosed()
      return await commands.revoke(kid, requested)
    },
    async rewrap(requested = {}) {
      refuseClosed()
      return await commands.rewrap(requested)
    },
    async resume() {
      refuseClosed()
      await scheduler.resume()
    },
    async confirm() {
      refuseClosed()
      await commands.confirm()
    },
    async refresh() {
      refuseClosed()
      await view.refresh()
    },
    close() {
      closing ??= (async () => {
        closed = true
        stopWatching?.()
        await scheduler.close()
        await commands.settled()
      })()
      return closing
    },
  }
}
