import type { ClerkClient } from '@clerk/backend'
import type { Clock, KeySource } from '@countersign/tokens'
import type { JwksEvent, RemoteJwksOptions } from '@countersign/tokens/jwks'
import * as z from 'zod'
import type { PublicKeySet } from '../auth-config/key-set.ts'
import { AuthError } from '../auth-error.ts'
import type { ClerkClaims } from '../claims.ts'

/** What a verifier of Clerk's tokens reports; never a part of a token. */
export type ClerkVerifierEvent =
  | JwksEvent
  /** Clerk was asked about an opaque token. */
  | {
      readonly type: 'machine_token_asked'
      readonly kind: MachineKind
      readonly outcome: 'good' | 'refused' | 'failed'
    }

/** Tokens of machines: opaque ones of which Clerk has to be asked, and JWTs, which need no asking. */
export type MachineKind = 'm2m' | 'm2m_jwt' | 'api_key'

export interface MachineOptions {
  /** What is accepted; there is no default. */
  readonly kinds: readonly MachineKind[]
  /** `createClerkClient({ secretKey })`; needed for `m2m` and `api_key`. */
  readonly client?: Pick<ClerkClient, 'm2m' | 'apiKeys'>
  /** The service that `aud` of M2M tokens must name (`claims: { aud }` when they are created). @default `audience` */
  readonly audience?: string
  /** Seconds for which Clerk's answer about an opaque token holds, 0 to 60: a revoked one works for as long. @default 10 */
  readonly rememberSeconds?: number
  /** Milliseconds to wait for Clerk, 100 to 10,000. @default 3_000 */
  readonly timeoutMs?: number
}

export interface ClerkVerifierOptions {
  /** The Frontend API URL of the instance, exactly as in `iss`. */
  readonly issuer: string
  /**
   * `'discover'` reads the instance's public JWKS within the limits of `remoteJwks`. A key set is pinned: no network, so
   * it works through any outage; pin the new key beside the old one before Clerk signs with it.
   *
   * @default 'discover'
   */
  readonly keys?: 'discover' | PublicKeySet | KeySource
  /** `aud`, which must then be there: for tokens of a JWT template or a session token with that claim. */
  readonly audience?: string
  /** The origins that `azp` may name, 1 to 32; it must then be there. Needed unless there is an `audience`. */
  readonly authorizedParties?: readonly string[]
  /**
   * The scopes of a session, for guards that ask for scopes; Clerk's sessions have none of their own.
   *
   * @default none
   * @example The organisation's permissions as scopes
   * scopes: (claims) => claims.organization?.permissions ?? []
   */
  readonly scopes?: (claims: ClerkClaims) => readonly string[]
  /** Which tokens of machines are accepted as well. @default none */
  readonly machines?: MachineOptions
  /** Seconds of clock difference to forgive, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** Longest accepted `exp − iat` of a session, 60 s to 24 h. @default 3_600; Clerk's sessions have 60 s */
  readonly maxLifeSeconds?: number
  readonly clock?: Clock
  /** Called synchronously; what it throws is dropped. */
  readonly onEvent?: (event: ClerkVerifierEvent) => void
  /** For `'discover'`: instead of the runtime's own client. */
  readonly fetch?: RemoteJwksOptions['fetch']
}

const name = z.string().min(1).max(512)
const fn = z.custom<unknown>((value) => typeof value === 'function', 'must be a function')

const schema = z.object({
  issuer: z.string().min(1).max(2_048),
  keys: z
    .custom<unknown>(
      (value) =>
        typeof value === 'object' &&
        value !== null &&
        ('get' in value || ('keys' in value && Array.isArray(value.keys))),
      "must be 'discover', a key set or a key source",
    )
    .or(z.literal('discover'))
    .optional(),
  audience: name.optional(),
  authorizedParties: z.array(name).min(1).max(32).optional(),
  scopes: fn.optional(),
  clockToleranceSeconds: z.number().min(0).max(60).default(5),
  maxLifeSeconds: z.number().min(60).max(86_400).default(3_600),
  machines: z
    .object({
      kinds: z.array(z.enum(['m2m', 'm2m_jwt', 'api_key'])).min(1),
      client: z.custom<unknown>((value) => typeof value === 'object' && value !== null, 'must be a client').optional(),
      audience: name.optional(),
      rememberSeconds: z.number().min(0).max(60).default(10),
      timeoutMs: z.int().min(100).max(10_000).default(3_000),
    })
    .optional(),
})

/** The numbers, with their defaults. */
export interface ResolvedNumbers {
  readonly clockToleranceSeconds: number
  readonly maxLifeSeconds: number
  readonly rememberSeconds: number
  readonly timeoutMs: number
}

/** @throws AuthError `bad_option` */
export function resolveNumbers(options: ClerkVerifierOptions): ResolvedNumbers {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new AuthError('bad_option', `clerkVerifier: "${issue?.path.join('.')}" ${issue?.message}`)
  }
  const { audience, authorizedParties, machines, clockToleranceSeconds, maxLifeSeconds } = parsed.data
  if (audience === undefined && authorizedParties === undefined) {
    throw new AuthError(
      'bad_option',
      'clerkVerifier: give `authorizedParties`, `audience` or both: neither takes any site.',
    )
  }
  const kinds = machines?.kinds ?? []
  if (kinds.some((kind) => kind !== 'm2m_jwt') && machines?.client === undefined) {
    throw new AuthError('bad_option', 'clerkVerifier: opaque tokens need `machines.client`.')
  }
  if (kinds.some((kind) => kind !== 'api_key') && (machines?.audience ?? audience) === undefined) {
    throw new AuthError('bad_option', 'clerkVerifier: M2M tokens need `machines.audience`, or any machine would do.')
  }
  const { rememberSeconds = 10, timeoutMs = 3_000 } = machines ?? {}
  return { clockToleranceSeconds, maxLifeSeconds, rememberSeconds, timeoutMs }
}
