import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { KeyStatus } from '@countersign/keys'
import {
  type Algorithm,
  auth0,
  betterAuth,
  clerk,
  type KeySource,
  keycloak,
  oidcProvider,
  type Profile,
  rfc9068,
  staticKeys,
} from '@countersign/tokens'
import { remoteJwks } from '@countersign/tokens/jwks'
import type { CommandContext } from './context.ts'
import { decodeToken } from './decode-token.ts'
import { discoverJwks } from './discover-jwks.ts'
import { CliError, type ExitCode } from './failure.ts'

/** How tokens of other issuers differ from ours, by name. */
export const profiles: Readonly<Record<string, Profile>> = Object.fromEntries(
  [rfc9068, auth0, betterAuth, clerk, keycloak, oidcProvider].map((profile) => [profile.name, profile]),
)

/** What `token verify` and `explain` can be told. */
export interface VerificationOptions {
  readonly issuer?: string
  readonly audience?: string
  readonly jwks?: string
  readonly profile?: string
}

/** What a token is held against, and where each value came from: `explain` names the setting that decided. */
export interface VerificationSettings {
  readonly issuer: string
  readonly audience: string
  readonly keys: KeySource
  readonly profile: Profile
  readonly algorithms: readonly Algorithm[]
  readonly sources: Readonly<Record<'issuer' | 'audience' | 'keys' | 'profile', string>>
  /** The audiences of the matrix; empty when there is none to look at. */
  readonly audiences: readonly string[]
  /** True when the audience is only what the token itself says: then it was not checked. */
  readonly audienceUnchecked: boolean
  /** What the own key rings know of a key. */
  keyStatus(kid: string): KeyStatus | undefined
  /** Whether the issuer knows the token as revoked; undefined when it cannot be asked. */
  isActive: ((token: string) => Promise<boolean>) | undefined
}

async function withKeysFrom(
  context: CommandContext,
  place: string,
  work: (keys: KeySource) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (URL.canParse(place) && /^https?:$/u.test(new URL(place).protocol)) {
    const remote = remoteJwks(place, { clock: context.io.clock })
    try {
      return await work(remote)
    } finally {
      remote.close()
    }
  }
  return await work(await keysFromFile(context, place))
}

async function keysFromFile(context: CommandContext, place: string): Promise<KeySource> {
  const file = resolve(context.io.cwd, place)
  try {
    return staticKeys(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new CliError('bad_input', `${file} is not JSON.`, { cause, remedy: 'Give a JWKS: { "keys": [...] }.' })
  }
}

function audienceOf(token: string): string | undefined {
  const aud = decodeToken(token).claims?.aud
  const first: unknown = Array.isArray(aud) ? aud[0] : aud
  return typeof first === 'string' && first !== '' ? first : undefined
}

/** Said of an audience that nobody named. */
export const matrixSource = 'the consumer matrix'

/** `--audience`, or the token's own if the matrix has it; else the first of the matrix, which then refuses the token. */
function chooseAudience(
  given: string | undefined,
  token: string,
  audiences: readonly string[],
): { audience: string; source: string; unchecked: boolean } {
  if (given !== undefined) return { audience: given, source: '--audience', unchecked: false }
  const own = audienceOf(token)
  if (audiences.length > 0) {
    const known = own !== undefined && audiences.includes(own)
    return { audience: known ? own : (audiences[0] ?? ''), source: matrixSource, unchecked: false }
  }
  return { audience: own ?? 'unknown', source: "the token's own", unchecked: true }
}

/** @throws CliError `wrong_usage` before a token is asked for */
export function checkOptions({ issuer, profile }: VerificationOptions): void {
  if (issuer === undefined && profile !== undefined) {
    throw new CliError('wrong_usage', "--profile is for another issuer's tokens: it needs --issuer.")
  }
}

/**
 * Finds what a token must be held against, runs the work, and closes what was opened.
 * Without options: this installation's issuer, its consumer matrix and its key rings. With `--issuer`: that issuer's
 * published keys.
 */
export async function withVerification(
  context: CommandContext,
  options: VerificationOptions,
  token: string,
  work: (settings: VerificationSettings) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { issuer: foreign } = options
  if (foreign !== undefined) {
    const profile = profiles[options.profile ?? rfc9068.name] ?? rfc9068
    const place = options.jwks ?? (await discoverJwks(foreign, context.io))
    const { audience, source, unchecked } = chooseAudience(options.audience, token, [])
    return await withKeysFrom(context, place, (keys) =>
      work({
        issuer: foreign,
        audience,
        keys,
        profile,
        algorithms: profile.algorithms,
        sources: {
          issuer: '--issuer',
          audience: source,
          keys: options.jwks === undefined ? place : '--jwks',
          profile: options.profile === undefined ? `${profile.name}, unless --profile says otherwise` : '--profile',
        },
        audiences: [],
        audienceUnchecked: unchecked,
        keyStatus: () => undefined,
        isActive: undefined,
      }),
    )
  }
  return await context.withService(async ({ config, consumers, rings, issuer }) => {
    const { audience, source, unchecked } = chooseAudience(options.audience, token, Object.keys(consumers.consumers))
    const get = (kid: string) => rings.map((ring) => ring.keys.get(kid)).find((key) => key !== undefined)
    const verify = (keys: KeySource): Promise<ExitCode> =>
      work({
        issuer: config.issuer,
        audience,
        keys,
        profile: rfc9068,
        algorithms: consumers.consumers[audience]?.algorithm === 'ES256' ? ['ES256'] : rfc9068.algorithms,
        sources: {
          issuer: `issuer in ${config.file ?? 'the configuration'}`,
          audience: source,
          keys: options.jwks === undefined ? "this service's key rings" : '--jwks',
          profile: rfc9068.name,
        },
        audiences: Object.keys(consumers.consumers),
        audienceUnchecked: unchecked,
        keyStatus: (kid) => rings.flatMap((ring) => ring.status().keys).find((key) => key.kid === kid),
        isActive: async (candidate) => (await issuer.introspectToken(candidate)).active,
      })
    return options.jwks === undefined
      ? await verify({ get, load: async (kid) => get(kid) })
      : await withKeysFrom(context, options.jwks, verify)
  })
}
