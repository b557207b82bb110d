import { type Clock, systemClock, type Verifier } from '@countersign/tokens'
import type { ProofRejectionCode, UsedProofs } from '@countersign/tokens/dpop'
import * as z from 'zod'
import { AuthError } from '../auth-error.ts'
import type { RunnerRefusalCode } from './runner-refused.ts'
import type { RunnerStore } from './runner-store.ts'

/** Longest life of a runner token, in seconds. */
export const longestLifeSeconds = 900

/** What a runner token says beside `iss`, `iat` and `exp`, which its signer adds; `ctx.auth.signJwt` takes it as it is. */
export type RunnerClaims = {
  /** Whom the runner works for. */
  readonly sub: string
  readonly aud: string
  /** The runner's id. */
  readonly client_id: string
  readonly org: string
  /** The workspace. */
  readonly ws: string
  /** Space-separated. */
  readonly scope: string
  readonly cnf: { readonly jkt: string }
  /** The runner's epoch when it was signed. */
  readonly ep: number
  readonly jti: string
}

/** What a person may do in an organisation, from your own table, never from a claim. */
export interface Grants {
  readonly scopes: readonly string[]
  readonly workspaces: readonly string[] | 'all'
}

/** Written before anything is answered: what cannot be written does not happen. */
export type RunnerAuditEntry =
  | { readonly type: 'pairing_started'; readonly name: string; readonly thumbprint: string }
  | {
      readonly type: 'pairing_approved'
      readonly runner: string
      readonly by: string
      readonly organization: string
      readonly workspace: string
    }
  | { readonly type: 'pairing_denied'; readonly name: string; readonly by: string }
  | {
      readonly type: 'token_issued'
      readonly runner: string
      readonly subject: string
      readonly organization: string
      readonly tokenId: string
      readonly grant: 'device_code' | 'session' | 'assertion'
    }
  | { readonly type: 'tokens_ended'; readonly runner: string; readonly by: string; readonly revoked: boolean }
  | {
      readonly type: 'refused'
      readonly at: 'device_authorization' | 'token' | 'resource' | 'person'
      readonly code: RunnerRefusalCode | ProofRejectionCode
      /** The person who was turned away, where it is one. */
      readonly by?: string
    }

export interface RunnerTokensOptions {
  /** The public URL under which {@link RunnerTokens.handle} answers, such as `https://app.convex.site/runner`. */
  readonly url: string
  /** The page on which a signed-in person types the code in. */
  readonly verificationUrl: string
  /** The public origin of the API that takes runner tokens. @default that of `url` */
  readonly apiOrigin?: string
  /** @default 'runner-api' */
  readonly audience?: string
  /** Signs, adding `iss`, `iat` and `exp`: in Convex `ctx.auth.signJwt`, elsewhere {@link runnerSigner}. */
  readonly sign: (claims: RunnerClaims, lifeSeconds: number) => Promise<string>
  /** Reads what `sign` makes: `createVerifier({ issuer, audience, keys, profile: runnerProfile })`. */
  readonly tokens: Verifier
  /** Reads the sessions of people: `clerkVerifier(…)`. */
  readonly sessions: Verifier
  /** Undefined for somebody who is no member. Asked for each token and each call. */
  readonly grants: (person: string, organization: string) => Promise<Grants | undefined>
  readonly store: RunnerStore
  readonly usedProofs: UsedProofs
  readonly audit: (entry: RunnerAuditEntry) => Promise<void>
  /** Life of a token unless it asks for less, 60 to 900. @default 600 */
  readonly lifeSeconds?: number
  /** Life of a device code, 60 to 1,800. @default 600 */
  readonly deviceCodeLifeSeconds?: number
  /** Between two polls, 1 to 60. @default 5 */
  readonly intervalSeconds?: number
  readonly clock?: Clock
}

export interface Setting extends Required<RunnerTokensOptions> {
  readonly tokenUrl: string
  readonly deviceUrl: string
}

const address = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const loopback = url !== undefined && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  return url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback))
}, 'must be an https URL, or http on loopback')

const schema = z.object({
  url: address.refine((url) => !/[?#]|\/$/.test(url), 'must have no query and no final slash'),
  verificationUrl: address,
  apiOrigin: address.optional(),
  audience: z.string().min(1).max(512).default('runner-api'),
  lifeSeconds: z.number().int().min(60).max(longestLifeSeconds).default(600),
  deviceCodeLifeSeconds: z.number().int().min(60).max(1_800).default(600),
  intervalSeconds: z.number().int().min(1).max(60).default(5),
})

/** @throws AuthError `bad_option` */
export function readOptions(options: RunnerTokensOptions): Setting {
  const { data, error } = schema.safeParse(options)
  if (data === undefined) {
    const issue = error.issues[0]
    throw new AuthError('bad_option', `createRunnerTokens: "${issue?.path.join('.')}" ${issue?.message}`)
  }
  const { url, apiOrigin = url } = data
  return {
    ...options,
    ...data,
    clock: options.clock ?? systemClock,
    apiOrigin: new URL(apiOrigin).origin,
    tokenUrl: `${url}/token`,
    deviceUrl: `${url}/device_authorization`,
  }
}
