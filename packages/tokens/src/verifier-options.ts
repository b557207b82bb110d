import * as z from 'zod'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import type { Ed25519Engine } from './engine-contract.ts'
import { allowInsecureIssuer, parseTrustedUrl } from './insecure.ts'
import { isIdentifier } from './internal/check-claims.ts'
import { clockProblem, isClock, optionProblem } from './internal/option-problem.ts'
import type { Expectations } from './internal/read-principal.ts'
import type { Algorithm, KeySource } from './key-source.ts'
import type { Principal } from './principal.ts'
import { type Profile, rfc9068 } from './profile.ts'
import { TokensError } from './tokens-error.ts'

export interface VerifiedTokenCacheOptions {
  /** Most tokens remembered, 2 to 1,000,000. @default 10_000 */
  readonly maxEntries?: number
  /** Most memory for them, 16 KiB to 1 GiB, by an estimate on the high side. @default 33_554_432 (32 MiB) */
  readonly maxBytes?: number
}

export interface VerifierOptions {
  /** Compared with `iss` byte for byte: an https URL, or http on loopback. */
  readonly issuer: string
  /** The one audience that this verifier answers to. */
  readonly audience: string
  /** `remoteJwks(…)`, `staticKeys(…)` or a key ring. */
  readonly keys: KeySource
  /** The allow-list; never the token's own word. @default the profile's: `['EdDSA', 'Ed25519']` for ours */
  readonly algorithms?: readonly Algorithm[]
  /** Seconds of clock difference to forgive, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** Longest accepted `exp − iat`, 60 s to 366 days. @default 43_200 (12 h) */
  readonly maxLifeSeconds?: number
  /** Longest accepted token, 512 to 16,384 characters. @default 8_192 */
  readonly maxTokenLength?: number
  /** How the issuer's tokens differ from RFC 9068. @default rfc9068, the strict one */
  readonly profile?: Profile
  /** The verified-token cache; `false` for none. */
  readonly cache?: VerifiedTokenCacheOptions | false
  /**
   * Asked for every token, also for those out of the cache, last: true refuses with `revoked`. Must not throw; an answer
   * that is neither true nor false, such as a promise, throws `bad_option`.
   */
  readonly isRevoked?: (principal: Principal) => boolean
  /** Checks the Ed25519 signatures instead of the runtime: `sodiumEd25519()`. */
  readonly ed25519?: Ed25519Engine
  readonly clock?: Clock
  readonly [allowInsecureIssuer]?: true
}

/** 12 h, for issuers whose tokens last a working day. */
export const defaultMaxLifeSeconds = 43_200

const algorithm = z.enum([
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
])

const names = z.array(z.string())

/** Every member: one that is missing or misspelt would else be found by a token, as a fault of ours. */
const profileSchema = z.strictObject({
  name: z.string(),
  algorithms: z.array(algorithm).min(1),
  types: names.min(1),
  audience: z.enum(['aud', 'aud-or-list', 'azp']),
  clientId: z.array(z.enum(['client_id', 'azp', ''])).min(1),
  optional: z.array(z.enum(['jti', 'iat', 'scope'])),
  required: z.record(z.string(), z.string()),
  refused: z.record(z.string(), z.string()).optional(),
  forbidden: names,
  organization: names,
})

// Strict: an `isRevoked` or a `profile` under a misspelt name must not be left out in silence.
const optionsSchema = z.strictObject({
  issuer: z.string().min(1).max(2048),
  audience: z.string().refine(isIdentifier, 'must be 1 to 512 characters without control characters'),
  keys: z.custom<KeySource>(
    (keys) => typeof keys === 'object' && keys !== null && 'get' in keys && 'load' in keys,
    'must be a key source: remoteJwks(url) or staticKeys(jwks)',
  ),
  algorithms: z.array(algorithm).min(1).optional(),
  clockToleranceSeconds: z.number().min(0).max(60).default(5),
  maxLifeSeconds: z
    .number()
    .min(60)
    .max(366 * 86_400)
    .default(defaultMaxLifeSeconds),
  maxTokenLength: z.int().min(512).max(16_384).default(8_192),
  profile: profileSchema.optional(),
  isRevoked: z.custom<unknown>((value) => typeof value === 'function', 'must be a function').optional(),
  cache: z
    .union([
      z.literal(false),
      z.strictObject({
        maxEntries: z.int().min(2).max(1_000_000).default(10_000),
        maxBytes: z
          .int()
          .min(16_384)
          .max(2 ** 30)
          .default(2 ** 25),
      }),
    ])
    .default({ maxEntries: 10_000, maxBytes: 2 ** 25 }),
  ed25519: z
    .custom<unknown>(
      (engine) => typeof engine === 'object' && engine !== null && 'importKey' in engine,
      'must be an engine: sodiumEd25519()',
    )
    .optional(),
  clock: z.custom<unknown>(isClock, clockProblem).optional(),
})

/** The options with their defaults, checked. */
export interface ResolvedOptions {
  readonly keys: KeySource
  readonly algorithms: ReadonlySet<string>
  readonly maxTokenLength: number
  /** Bounds of 0 remember nothing. */
  readonly cache: Required<VerifiedTokenCacheOptions>
  readonly expectations: Expectations
  readonly clock: Clock
}

/** @throws TokensError `bad_option` or `insecure_url` */
export function resolveOptions(options: VerifierOptions): ResolvedOptions {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) throw new TokensError('bad_option', `createVerifier: ${optionProblem(parsed.error)}`)
  const { issuer, audience, keys, algorithms, clockToleranceSeconds, maxLifeSeconds, maxTokenLength, cache } =
    parsed.data
  parseTrustedUrl(issuer, 'createVerifier: "issuer"', options[allowInsecureIssuer] === true)
  const profile = options.profile ?? rfc9068
  return {
    keys,
    algorithms: new Set(algorithms ?? profile.algorithms),
    maxTokenLength,
    cache: cache === false ? { maxEntries: 0, maxBytes: 0 } : cache,
    clock: options.clock ?? systemClock,
    expectations: {
      issuer,
      audience,
      profile,
      toleranceSeconds: clockToleranceSeconds,
      maxLifeSeconds,
    },
  }
}
