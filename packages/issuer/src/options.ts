import type { ConsumerMatrix } from '@countersign/consumers'
import type { KeyRing } from '@countersign/keys'
import type { Clock } from '@countersign/tokens'
import { z } from 'zod'
import { IssuerError } from './errors.ts'
import type { OnIssuerEvent } from './events.ts'
import type { SubjectVerifier } from './exchange/policy.ts'
import type { IssuerAudit, IssuerStores, ThrottleRule } from './ports.ts'

export interface IssuerLimits {
  /** A refresh token unused for this long is refused; 60 to 31,536,000. @default 2_592_000 (30 d) */
  readonly refreshIdleSeconds?: number
  /** A session ends this long after its sign-in; from the idle limit to 31,536,000. @default 7_776_000 (90 d) */
  readonly refreshAbsoluteSeconds?: number
  /** How long the previous secret of a client stays valid after a rotation; 0 to 2,592,000. @default 86_400 */
  readonly secretOverlapSeconds?: number
  /** Password hashes running at once, each with `passwordMemoryKiB` of memory; 1 to 64. @default 2 */
  readonly parallelHashes?: number
  /** Password hashes waiting; one more is answered 503. 0 to 10,000. @default 64 */
  readonly queuedHashes?: number
  /** argon2id memory; 19,456 (the least that OWASP recommends for 2 passes) to 1,048,576. @default 19_456 */
  readonly passwordMemoryKiB?: number
  /** argon2id passes; 2 to 16. @default 2 */
  readonly passwordPasses?: number
  /** Failed attempts a minute, per account and per address, before the back-off begins; 1 to 1,000. @default 5 */
  readonly failuresPerMinute?: number
  /** The first back-off; each further failure doubles it. 1 to 900. @default 60 */
  readonly backOffSeconds?: number
  /** The longest back-off; from `backOffSeconds` to 86,400. @default 900 */
  readonly longestBackOffSeconds?: number
}

export interface IssuerOptions {
  /** The issuer identifier (RFC 8414 section 2): https, or http on a loopback host; no query, fragment or trailing slash. */
  readonly issuer: string
  /** One ring for each algorithm that the matrix uses. The issuer does not close them. */
  readonly rings: readonly KeyRing[]
  readonly consumers: ConsumerMatrix
  readonly stores: IssuerStores
  /** The signed revocation feed for consumers that verify by themselves. @default none */
  readonly feed?: FeedOptions
  /** Other issuers whose tokens may be exchanged for ours (RFC 8693). @default none */
  readonly subjectVerifiers?: readonly SubjectVerifier[]
  /** Awaited before every answer that issues or revokes something. @default nothing is recorded */
  readonly audit?: IssuerAudit
  /** Called synchronously; what it throws is ignored. */
  readonly onEvent?: OnIssuerEvent
  readonly clock?: Clock
  readonly limits?: IssuerLimits
}

export interface FeedOptions {
  /** A ring of its own, made with purpose `feed`: whoever has a token's key must not be able to sign "nothing is revoked". */
  readonly ring: KeyRing
  /**
   * Whether this process serves the feed and looks after it, at `/revocations` and in the background. False for a process
   * beside a running service, such as a command. @default true
   */
  readonly serve?: boolean
}

export type ResolvedLimits = Required<IssuerLimits> & { readonly throttle: ThrottleRule }

const whole = (low: number, high: number, fallback: number) => z.int().min(low).max(high).default(fallback)

const limitsSchema = z
  .strictObject({
    refreshIdleSeconds: whole(60, 31_536_000, 2_592_000),
    refreshAbsoluteSeconds: whole(60, 31_536_000, 7_776_000),
    secretOverlapSeconds: whole(0, 2_592_000, 86_400),
    parallelHashes: whole(1, 64, 2),
    queuedHashes: whole(0, 10_000, 64),
    passwordMemoryKiB: whole(19_456, 1_048_576, 19_456),
    passwordPasses: whole(2, 16, 2),
    failuresPerMinute: whole(1, 1_000, 5),
    backOffSeconds: whole(1, 900, 60),
    longestBackOffSeconds: whole(1, 86_400, 900),
  })
  .refine((limits) => limits.refreshAbsoluteSeconds >= limits.refreshIdleSeconds, {
    path: ['refreshAbsoluteSeconds'],
    message: 'must not be under refreshIdleSeconds',
  })
  .refine((limits) => limits.longestBackOffSeconds >= limits.backOffSeconds, {
    path: ['longestBackOffSeconds'],
    message: 'must not be under backOffSeconds',
  })

/** @throws IssuerError `invalid_option` naming the limit, what was expected and what was found */
export function resolveLimits(limits: IssuerLimits = {}): ResolvedLimits {
  const parsed = limitsSchema.safeParse(limits)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new IssuerError('invalid_option', `limits.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
  }
  const { failuresPerMinute, backOffSeconds, longestBackOffSeconds } = parsed.data
  return {
    ...parsed.data,
    // The last allowed failure starts the back-off, so that no minute sees one more.
    throttle: {
      allowed: failuresPerMinute - 1,
      windowSeconds: 60,
      baseSeconds: backOffSeconds,
      maxSeconds: longestBackOffSeconds,
    },
  }
}

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]'])

/** True for an URL that may be plain http. */
export function isLoopback(url: URL): boolean {
  return loopbackHosts.has(url.hostname) || url.hostname.endsWith('.localhost')
}

/** @throws IssuerError `invalid_option` */
export function checkIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  const plain = url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))
  const spelled = url !== undefined && (url.pathname === '/' ? url.origin : url.origin + url.pathname) === issuer
  if (!plain || !spelled || issuer.endsWith('/')) {
    throw new IssuerError(
      'invalid_option',
      'issuer: expected https://host[/path], or http on a loopback host, in normal form without a trailing slash',
    )
  }
}

/** Access tokens that live longer need a ring whose overlap was raised for them. */
const usualLifeSeconds = 43_200
const usualOverlapSeconds = 86_400

/** @throws IssuerError `invalid_option` when a consumer's algorithm has no ring, or a ring is for another issuer or shorter lives */
export function checkRings(options: IssuerOptions): void {
  for (const ring of options.rings) {
    if (ring.issuer !== options.issuer) {
      throw new IssuerError('invalid_option', `rings: the ring "${ring.name}" belongs to another issuer`)
    }
  }
  const { feed } = options
  if (feed !== undefined) {
    const isShared = options.rings.some((ring) => ring === feed.ring || ring.name === feed.ring.name)
    if (isShared) throw new IssuerError('invalid_option', 'feed.ring: the feed needs a ring of its own')
    if (feed.ring.issuer !== options.issuer) {
      throw new IssuerError('invalid_option', 'feed.ring: the ring belongs to another issuer')
    }
  }
  for (const consumer of Object.values(options.consumers.consumers)) {
    const fitting = options.rings.filter((ring) => ring.algorithm === consumer.algorithm)
    if (fitting.length !== 1) {
      throw new IssuerError(
        'invalid_option',
        `rings: ${fitting.length} rings sign with ${consumer.algorithm}, which "${consumer.audience}" needs exactly one of`,
      )
    }
    const longest = fitting[0]?.policy.accessTokenLifeSeconds ?? 0
    if (consumer.accessTokenLifeSeconds > longest) {
      throw new IssuerError(
        'invalid_option',
        `consumers: tokens for "${consumer.audience}" live ${consumer.accessTokenLifeSeconds} s, but its ring is made for ${longest} s at most`,
      )
    }
    // Somebody must have meant it: an old key of such a ring stays visible for as long as its last token lives.
    const overlap = fitting[0]?.policy.maxOverlapSeconds ?? 0
    if (consumer.accessTokenLifeSeconds > usualLifeSeconds && overlap <= usualOverlapSeconds) {
      throw new IssuerError(
        'invalid_option',
        `consumers: tokens for "${consumer.audience}" live longer than 12 h, so its ring needs a maxOverlapSeconds above 24 h`,
      )
    }
  }
}
