import type { IssuerLimits } from '@countersign/issuer'
import type { Reporter } from '@countersign/observability'
import type { KekSource } from '@countersign/sealing'
import type { Clock } from '@countersign/tokens'
import { z } from 'zod'
import { AuthModuleError } from './errors.ts'

/** What a scope allows, beyond its name. */
export interface ScopeProperties {
  /** The first to be refused when revocation news is late. @default false */
  readonly sensitive?: boolean
  /** Changes something in the world. @default false */
  readonly sideEffects?: boolean
  readonly description?: string
}

export type DefaultScope = 'tools:read' | 'tools:run'

/** What the module tells about itself. No secrets. */
export type AuthModuleEvent =
  /** Tokens are signed with HS256: whoever can check one can make one. */
  | { readonly type: 'compatibility'; readonly algorithm: 'HS256' }
  /** The key-encryption key comes from `secretKey`: whoever has that opens everything. */
  | { readonly type: 'kek_derived'; readonly kekId: string }
  /** The store can write no more: the process should end. */
  | { readonly type: 'store_failed'; readonly error: Error }

/** One password that everybody shares who may use a tool: no accounts. */
export interface SharedPasswordOptions<Scope extends string> {
  /** At least 16 characters that cannot be guessed. Another one than the last time ends every session and token. */
  readonly password: string
  /** What a sign-in gets that asks for none. @default all */
  readonly defaultScopes?: readonly Scope[]
  /** Exact browser origins whose pages may sign in at `routes`. @default [] */
  readonly origins?: readonly string[]
}

export interface AuthConfig<Scope extends string = DefaultScope> {
  /** Database, key-encryption key and audit log; made (0700) if it is not there. This or `credentialStoragePath`. */
  readonly dataDir?: string
  /** Another name of `dataDir`. */
  readonly credentialStoragePath?: string
  /** Life of an access token, 60 to 604,800. @default 3600 */
  readonly tokenExpirySeconds?: number
  /**
   * `HS256` is for compatibility with what verifies by a shared secret, and needs `secretKey`: everybody who can check
   * such a token can make one.
   * @default 'EdDSA'
   */
  readonly algorithm?: 'EdDSA' | 'HS256'
  /** At least 32 bytes of UTF-8. Signs with HS256; and the key-encryption key is derived from it, unless `kek` is given. */
  readonly secretKey?: string
  /** What seals signing keys and credentials. @default derived from `secretKey`; without one, a file `kek` in `dataDir` */
  readonly kek?: KekSource
  /** All scopes that there are: `resource:action`, or `admin` and `service`; 1 to 128. @default ['tools:read', 'tools:run'] */
  readonly scopes?: readonly Scope[] | Readonly<Record<Scope, ScopeProperties>>
  /** `iss` of every token: https, or http on loopback. A directory keeps the one it began with. @default 'http://localhost' */
  readonly issuer?: string
  /** `aud` of every token. Tokens of HS256 have one only where it is given here. @default 'module' */
  readonly audience?: string
  /** Where the tool answers, for challenges (RFC 9728): https, or http on loopback. @default none */
  readonly resource?: string
  /** In place of users: the name to authenticate with is the `audience`, and there are no refresh tokens. @default none */
  readonly sharedPassword?: SharedPasswordOptions<Scope>
  readonly limits?: IssuerLimits
  readonly clock?: Clock
  /** Gets the events of all parts: `createReporter(…)` of `@countersign/observability`. @default nobody */
  readonly report?: Reporter
  /** Called synchronously; must not throw. */
  readonly onEvent?: (event: AuthModuleEvent) => void
}

/** The configuration with its defaults. */
export interface Settings {
  readonly dataDir: string
  readonly tokenExpirySeconds: number
  readonly algorithm: 'EdDSA' | 'HS256'
  readonly secretKey: string | undefined
  readonly scopes: Readonly<Record<string, ScopeProperties>>
  readonly issuer: string
  readonly audience: string
  /** Whether tokens of HS256 say it too. */
  readonly saysAudience: boolean
  readonly resource: string | undefined
  /** One password in place of users. */
  readonly isShared: boolean
}

const path = z.string().min(1).max(4096)
const callable = z.custom<unknown>((value) => typeof value === 'function', 'expected a function')
const part = z.custom<unknown>((value) => typeof value === 'object' && value !== null, 'expected an object')

const schema = z.strictObject({
  dataDir: path.optional(),
  credentialStoragePath: path.optional(),
  tokenExpirySeconds: z.int().min(60).max(604_800).default(3600),
  algorithm: z.enum(['EdDSA', 'HS256']).default('EdDSA'),
  secretKey: z.string().max(4096).optional(),
  kek: part.optional(),
  scopes: z
    .union([z.array(z.string()), z.record(z.string(), z.looseObject({}))], {
      error: 'expected an array of scopes, or an object of scopes with their properties',
    })
    .default(['tools:read', 'tools:run']),
  issuer: z.string().max(2048).default('http://localhost'),
  audience: z
    .string()
    .regex(/^[a-z][a-z0-9._-]{0,62}$/, 'expected a lower-case name of at most 63 characters')
    // The first begins the names of API keys, the others those of ids.
    .refine((name) => !/^(?:key\.|client_|user_)/.test(name), 'expected a name that begins otherwise')
    .optional(),
  resource: z.string().max(2048).optional(),
  sharedPassword: z
    .strictObject({
      password: z.string(),
      defaultScopes: z.array(z.string()).optional(),
      origins: z.array(z.string()).optional(),
    })
    .optional(),
  limits: part.optional(),
  clock: part.optional(),
  report: part.optional(),
  onEvent: callable.optional(),
})

const leastSecretBytes = 32

/** @throws AuthModuleError `bad_option` naming the option, `weak_secret_key` */
export function readConfig(config: unknown): Settings {
  const parsed = schema.safeParse(config)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new AuthModuleError('bad_option', `${issue?.path.join('.') || 'config'}: ${issue?.message ?? 'invalid'}`)
  }
  const {
    dataDir: named,
    credentialStoragePath,
    secretKey,
    algorithm,
    audience,
    scopes,
    resource,
    issuer,
  } = parsed.data
  const dataDir = named ?? credentialStoragePath
  if (dataDir === undefined || (named !== undefined && credentialStoragePath !== undefined)) {
    throw new AuthModuleError('bad_option', 'dataDir: expected one of dataDir and credentialStoragePath')
  }
  if (algorithm === 'HS256' && secretKey === undefined) {
    throw new AuthModuleError('bad_option', 'secretKey: HS256 needs one')
  }
  if (secretKey !== undefined && Buffer.byteLength(secretKey) < leastSecretBytes) {
    throw new AuthModuleError('weak_secret_key', `secretKey: expected at least ${leastSecretBytes} bytes`)
  }
  return {
    dataDir,
    tokenExpirySeconds: parsed.data.tokenExpirySeconds,
    algorithm,
    secretKey,
    scopes: Array.isArray(scopes) ? Object.fromEntries(scopes.map((scope) => [scope, {}])) : scopes,
    issuer,
    audience: audience ?? 'module',
    saysAudience: audience !== undefined,
    resource,
    isShared: parsed.data.sharedPassword !== undefined,
  }
}
