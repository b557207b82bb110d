import type { Blackout } from './blackouts/blackout.ts'
import { createCalendar } from './blackouts/calendar.ts'
import { KeysError } from './keys-error.ts'

/** How long things take and live. All in seconds. */
export interface KeyPolicy {
  /** T: the longest life of a token that the ring signs. */
  readonly accessTokenLifeSeconds: number
  /** M: how long a cache may keep the JWKS. @default 300 */
  readonly jwksMaxAgeSeconds?: number
  /** @default 60 */
  readonly staleWhileRevalidateSeconds?: number
  /** @default 600 */
  readonly staleIfErrorSeconds?: number
  /** V: the longest that any verifier keeps a JWKS, whatever the headers say. @default 3600 */
  readonly verifierCacheSeconds?: number
  /** L: how long an instance goes on with its cached ring when the store cannot be reached. @default 90 */
  readonly signerLeaseSeconds?: number
  /** s: how far clocks may differ. @default 60 */
  readonly skewSeconds?: number
  /** O: how long an old key stays visible after its successor began to sign. @default T + 30 min */
  readonly overlapSeconds?: number
  /** The most that O may be. @default 86400 */
  readonly maxOverlapSeconds?: number
  /** Age at which the scheduler activates the standby. @default 2332800 (27 days) */
  readonly rotateAfterSeconds?: number
  /** Age past which a key should sign no more. @default 2592000 (30 days) */
  readonly maxAgeSeconds?: number
  /** `off`: the next key is published only W before it is due, so that two keys are visible for W + O at most. @default 'on' */
  readonly standby?: 'on' | 'off'
  /** What happens past `maxAgeSeconds`: go on with an alert, or refuse to sign. @default 'sign' */
  readonly pastMaxAge?: 'sign' | 'refuse'
  /**
   * When no key is published or activated by plan; the scheduler works ahead if it must. Revoking, and withdrawing a key
   * that has been replaced, go on. At most 64. @default []
   */
  readonly blackouts?: readonly Blackout[]
  /** For loopback issuers only: every number above but T times `scale`. See {@link demoPolicy}. */
  readonly demo?: { readonly scale: number }
}

/** A policy with every number settled. */
export interface ResolvedKeyPolicy extends Required<Omit<KeyPolicy, 'demo'>> {
  /** W: how long a key is published before it may sign. */
  readonly propagationSeconds: number
  /** How often an instance reads the store. */
  readonly pollSeconds: number
  /** 1 but for a demo. */
  readonly scale: number
}

const day = 86_400
/** W is never shorter, whatever the caches promise. */
const leastPropagationSeconds = 900
/** What O has beyond T: room for the lease, the skew and a slow clock. */
const overlapMarginSeconds = 1800
/** Signers look at the store nine times within a lease (every 10 s by default). */
const looksPerLease = 9
/** A demo's lease and pace are not scaled below these: an event loop that pauses must not cost the lease. */
const leastDemoLeaseSeconds = 1
const leastPollSeconds = 0.1

const bounds: Readonly<
  Record<keyof Omit<KeyPolicy, 'demo' | 'standby' | 'pastMaxAge' | 'blackouts'>, readonly [least: number, most: number]>
> = {
  accessTokenLifeSeconds: [1, 31 * day],
  jwksMaxAgeSeconds: [1, day],
  staleWhileRevalidateSeconds: [0, day],
  staleIfErrorSeconds: [0, 7 * day],
  verifierCacheSeconds: [0, 7 * day],
  signerLeaseSeconds: [1, 3600],
  skewSeconds: [0, 300],
  overlapSeconds: [1, 366 * day],
  maxOverlapSeconds: [1, 366 * day],
  rotateAfterSeconds: [1, 366 * day],
  maxAgeSeconds: [1, 366 * day],
}

function isLoopback(issuer: string): boolean {
  const host = URL.canParse(issuer) ? new URL(issuer).hostname : ''
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function checkBounds(policy: KeyPolicy): void {
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const value = policy[name as keyof typeof bounds]
    if (value === undefined && name !== 'accessTokenLifeSeconds') continue
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      throw new KeysError('policy_invalid', `${name} must be a number from ${least} to ${most}, not ${String(value)}`)
    }
    // These two are written into headers and tokens, which know whole seconds only.
    const whole = name === 'accessTokenLifeSeconds' || name.startsWith('jwks') || name.startsWith('stale')
    if (whole && !Number.isInteger(value)) {
      throw new KeysError('policy_invalid', `${name} must be a whole number, not ${value}`)
    }
  }
  if (policy.standby !== undefined && policy.standby !== 'on' && policy.standby !== 'off') {
    throw new KeysError('policy_invalid', `standby must be 'on' or 'off', not ${String(policy.standby)}`)
  }
  if (policy.pastMaxAge !== undefined && policy.pastMaxAge !== 'sign' && policy.pastMaxAge !== 'refuse') {
    throw new KeysError('policy_invalid', `pastMaxAge must be 'sign' or 'refuse', not ${String(policy.pastMaxAge)}`)
  }
  const scale = policy.demo?.scale
  if (policy.demo !== undefined && !(typeof scale === 'number' && scale > 0 && scale <= 1)) {
    throw new KeysError('policy_invalid', `demo.scale must be above 0 and at most 1, not ${String(scale)}`)
  }
}

/**
 * Settles every number of a policy and refuses those that cannot all be kept.
 *
 * W = max(M + stale-while-revalidate + stale-if-error, V) + L + s, at least 15 min: 3,750 s with the defaults.
 * O = T + 30 min by default, and T + L + s ≤ O ≤ `maxOverlapSeconds`.
 *
 * @throws KeysError `policy_invalid`; `overlap_impossible` and `propagation_impossible`, which name the two numbers that
 * collide; `demo_refused` for an issuer that is not on loopback
 */
export function resolvePolicy(policy: KeyPolicy, issuer: string): ResolvedKeyPolicy {
  checkBounds(policy)
  if (policy.demo !== undefined && !isLoopback(issuer)) {
    throw new KeysError('demo_refused', `the demo policy is for loopback issuers only, not for ${issuer}`)
  }
  const scale = policy.demo?.scale ?? 1
  const isDemo = policy.demo !== undefined
  const life = policy.accessTokenLifeSeconds
  const maxAge = Math.ceil((policy.jwksMaxAgeSeconds ?? 300) * scale)
  // Header values are whole seconds; W counts with what the header says.
  const whileRevalidate = Math.round((policy.staleWhileRevalidateSeconds ?? 60) * scale)
  const ifError = Math.round((policy.staleIfErrorSeconds ?? 600) * scale)
  const cache = (policy.verifierCacheSeconds ?? 3600) * scale
  const scaledLease = (policy.signerLeaseSeconds ?? 90) * scale
  const lease = isDemo ? Math.max(leastDemoLeaseSeconds, scaledLease) : scaledLease
  const skew = (policy.skewSeconds ?? 60) * scale
  const propagation = Math.max(
    Math.max(maxAge + whileRevalidate + ifError, cache) + lease + skew,
    isDemo ? 0 : leastPropagationSeconds,
  )
  const leastOverlap = life + lease + skew
  const margin = policy.overlapSeconds === undefined ? overlapMarginSeconds : policy.overlapSeconds - life
  const overlap =
    policy.overlapSeconds === undefined || isDemo
      ? Math.max(life + margin * scale, leastOverlap)
      : policy.overlapSeconds
  const maxOverlap = policy.maxOverlapSeconds ?? day
  const rotateAfter = policy.rotateAfterSeconds ?? 27 * day
  const age = policy.maxAgeSeconds ?? 30 * day
  const standby = policy.standby ?? 'on'
  const blackouts = Object.freeze([...(policy.blackouts ?? [])])
  // Checks each; whether they leave room depends on the time, and is checked when a ring is opened.
  createCalendar(blackouts)

  if (overlap < leastOverlap) {
    throw new KeysError(
      'overlap_impossible',
      `an old key must stay visible for ${leastOverlap} s (token life ${life} + lease ${lease} + skew ${skew}), but overlapSeconds is ${overlap}`,
    )
  }
  if (overlap > maxOverlap) {
    throw new KeysError(
      'overlap_impossible',
      `tokens that live ${life} s need an overlap of ${overlap} s, more than maxOverlapSeconds, ${maxOverlap}`,
    )
  }
  if (standby === 'off' && propagation + overlap > maxOverlap) {
    throw new KeysError(
      'propagation_impossible',
      `without a standby two keys are visible for ${propagation + overlap} s (propagation ${propagation} + overlap ${overlap}), more than maxOverlapSeconds, ${maxOverlap}`,
    )
  }
  if (propagation > rotateAfter) {
    throw new KeysError(
      'propagation_impossible',
      `a new key needs ${propagation} s to reach every verifier, longer than rotateAfterSeconds, ${rotateAfter}`,
    )
  }
  if (rotateAfter > age) {
    throw new KeysError('policy_invalid', `rotateAfterSeconds, ${rotateAfter}, is above maxAgeSeconds, ${age}`)
  }
  return Object.freeze({
    accessTokenLifeSeconds: life,
    jwksMaxAgeSeconds: maxAge,
    staleWhileRevalidateSeconds: whileRevalidate,
    staleIfErrorSeconds: ifError,
    verifierCacheSeconds: cache,
    signerLeaseSeconds: lease,
    skewSeconds: skew,
    overlapSeconds: overlap,
    maxOverlapSeconds: maxOverlap,
    rotateAfterSeconds: rotateAfter,
    maxAgeSeconds: age,
    standby,
    pastMaxAge: policy.pastMaxAge ?? 'sign',
    blackouts,
    propagationSeconds: propagation,
    pollSeconds: Math.max(lease / looksPerLease, leastPollSeconds),
    scale,
  })
}

/**
 * A policy under which a rotation takes seconds (W is 2.5 s): for a tour or a test, refused for issuers that are not on
 * loopback. Everything but the token life is scaled together; verifiers must scale their own limits likewise, see
 * {@link readerOptions}. Verifiers with fixed caches, such as plain jose, will refuse fresh keys under it.
 */
export function demoPolicy(policy: Omit<KeyPolicy, 'demo'>): KeyPolicy {
  return { ...policy, demo: { scale: 1 / 2400 } }
}

/** What a reader of this ring's JWKS has to be told, for W to hold there too: options of `remoteJwks`. */
export interface ReaderOptions {
  readonly demo?: { readonly scale: number }
}

/**
 * The options with which `remoteJwks` of `@countersign/tokens/jwks` scales its limits as the ring scales its own: none but
 * for a demo.
 */
export function readerOptions({ demo }: Pick<KeyPolicy, 'demo'>): ReaderOptions {
  return demo === undefined ? {} : { demo }
}
