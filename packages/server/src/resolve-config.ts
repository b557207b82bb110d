import { join, resolve } from 'node:path'
import { type ConsumerMatrix, parseConsumers } from '@countersign/consumers'
import type { SubjectVerifier } from '@countersign/issuer'
import { z } from 'zod'
import type { KeysConfig, LogLevel } from './config.ts'
import { readModule } from './read-module.ts'
import { ServerError } from './server-error.ts'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** `$CREDENTIALS_DIRECTORY` of a unit, and the name of a credential in it. */
export interface KekCredential {
  readonly name: string
  readonly directory: string
}

/** A configuration after defaults, environment and checks; every path absolute. */
export interface ResolvedConfig {
  /** The file it was read from; undefined when it was given as an object. */
  readonly file: string | undefined
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly dataDir: string
  /** Of SQLite. */
  readonly databaseFile: string
  /** Of PostgreSQL, which is then used in SQLite's place. May hold a password: for no log. */
  readonly databaseUrl: string | undefined
  readonly databasePasswordFile: string | undefined
  readonly kekFile: string
  /** Where systemd provides the key-encryption key, instead of a file of our own. */
  readonly kekCredential: KekCredential | undefined
  readonly previousKekFiles: readonly string[]
  readonly consumers: ConsumerMatrix
  readonly subjectVerifiers: readonly SubjectVerifier[]
  readonly keys: KeysConfig
  readonly logLevel: LogLevel
  readonly metrics: { readonly host: string; readonly port: number } | undefined
  readonly auditFile: string
  /** Streams of the revocation feed at once. */
  readonly maxStreams: number
  readonly trustedProxyHops: number
}

const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** RFC 8414 section 2: no query, no fragment; one spelling, since `iss` is compared byte for byte. */
const issuerUrl = z.string().superRefine((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const fault =
    url === undefined
      ? 'a URL'
      : url.protocol !== 'https:' && !(url.protocol === 'http:' && loopbackHosts.has(url.hostname))
        ? 'an https URL, or http on loopback'
        : url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== ''
          ? 'a URL without query, fragment or credentials'
          : value.endsWith('/')
            ? 'a URL without a trailing slash'
            : url.href.replace(/\/$/, '') !== value
              ? `the URL in its normal form, ${url.href.replace(/\/$/, '')}`
              : undefined
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `expected ${fault}` })
})

const port = z.number().int().min(0).max(65_535)
const hostName = z.string().min(1).max(255)
const logLevel = z.enum(['silent', 'error', 'warn', 'info', 'debug'])
const databaseUrl = z
  .string()
  .max(4096)
  .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)/, 'expected sqlite:PATH or postgres://USER@HOST/DATABASE')

/** What the members mean is checked with the ring's policy, which names the same settings. */
const blackout = z.strictObject({
  from: z.string().max(40),
  to: z.string().max(40),
  zone: z.string().max(100),
  days: z.array(z.enum(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'])).optional(),
})
const publicUrl = z
  .string()
  .max(2048)
  .refine((value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined
    return url?.protocol === 'https:' || (url?.protocol === 'http:' && loopbackHosts.has(url.hostname))
  }, 'expected an https URL, or http on loopback')

const keysSchema = z
  .strictObject({
    policy: z.enum(['standard', 'demo']),
    jwksMaxAgeSeconds: z.number().int().min(1).max(86_400),
    verifierCacheSeconds: z.number().int().min(0).max(604_800),
    maxOverlapSeconds: z.number().int().min(60).max(2_592_000),
    blackouts: z.array(blackout).max(64),
    publicJwksUrls: z.array(publicUrl).max(16),
  })
  .partial()

const configSchema = z.strictObject({
  issuer: issuerUrl,
  host: hostName.optional(),
  port: port.optional(),
  dataDir: z.string().min(1).optional(),
  database: databaseUrl.optional(),
  databasePasswordFile: z.string().min(1).optional(),
  kekFile: z.string().min(1).optional(),
  previousKekFiles: z.array(z.string().min(1)).max(8).optional(),
  consumers: z.union([z.string().min(1), z.looseObject({})]),
  // What the members are is checked by the issuer, with the matrix at hand.
  subjectVerifiers: z
    .array(z.custom<SubjectVerifier>((value) => typeof value === 'object' && value !== null))
    .optional(),
  keys: keysSchema.optional(),
  log: z.strictObject({ level: logLevel.optional() }).optional(),
  metrics: z.union([z.literal(false), z.strictObject({ host: hostName.optional(), port: port.optional() })]).optional(),
  auditFile: z.string().min(1).optional(),
  revocations: z.strictObject({ maxStreams: z.number().int().min(1).max(100_000).optional() }).optional(),
  trustedProxyHops: z.number().int().min(0).max(16).optional(),
})

const wholeNumber = z
  .string()
  .regex(/^\d{1,6}$/, 'expected a whole number')
  .transform(Number)

const environmentSchema = z.object({
  COUNTERSIGN_ISSUER: issuerUrl.optional(),
  COUNTERSIGN_PORT: wholeNumber.pipe(port).optional(),
  COUNTERSIGN_HOST: hostName.optional(),
  COUNTERSIGN_DATA_DIR: z.string().min(1).optional(),
  COUNTERSIGN_DATABASE_URL: databaseUrl.optional(),
  COUNTERSIGN_DATABASE_PASSWORD_FILE: z.string().min(1).optional(),
  COUNTERSIGN_KEK_FILE: z.string().min(1).optional(),
  CREDENTIALS_DIRECTORY: z.string().min(1).optional(),
  COUNTERSIGN_LOG_LEVEL: logLevel.optional(),
  COUNTERSIGN_METRICS_PORT: wholeNumber.pipe(port).optional(),
  COUNTERSIGN_TRUST_PROXY: wholeNumber.pipe(z.number().max(16)).optional(),
})

function parse<T>(schema: z.ZodType<T>, input: unknown, where: string): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const lines = result.error.issues.map((issue) => {
    const path = issue.path.join('.')
    return `${path === '' ? where : `${where}: ${path}`}: ${issue.message}`
  })
  throw new ServerError('config_invalid', lines.join('\n'))
}

export interface ResolveConfigOptions {
  /** What relative paths in the configuration are relative to. */
  readonly baseDir: string
  readonly file?: string
  /** COUNTERSIGN_* override the configuration; their paths are relative to the process's folder. @default {} */
  readonly env?: Environment
}

/**
 * Checks a configuration and fills in what it leaves out.
 * @throws ServerError `config_invalid`, naming each setting, what was expected and what was found
 */
export async function resolveConfig(input: unknown, options: ResolveConfigOptions): Promise<ResolvedConfig> {
  const given = parse(configSchema, input, options.file ?? 'configuration')
  const env = parse(environmentSchema, options.env ?? {}, 'environment')
  const at = (path: string): string => resolve(options.baseDir, path)

  const dataDir =
    env.COUNTERSIGN_DATA_DIR === undefined ? at(given.dataDir ?? 'data') : resolve(env.COUNTERSIGN_DATA_DIR)
  const inDataDir = (path: string | undefined, name: string): string =>
    path === undefined ? join(dataDir, name) : at(path)
  const issuer = env.COUNTERSIGN_ISSUER ?? given.issuer
  const passwordFile =
    env.COUNTERSIGN_DATABASE_PASSWORD_FILE === undefined
      ? given.databasePasswordFile && at(given.databasePasswordFile)
      : resolve(env.COUNTERSIGN_DATABASE_PASSWORD_FILE)
  const keys: KeysConfig = Object.fromEntries(
    Object.entries(given.keys ?? {}).filter(([, value]) => value !== undefined),
  )
  if (keys.policy === 'demo' && !loopbackHosts.has(new URL(issuer).hostname)) {
    throw new ServerError(
      'config_invalid',
      `keys.policy: expected 'standard' for ${issuer}: 'demo' is for loopback issuers only`,
    )
  }
  const metrics =
    given.metrics === false ? undefined : { host: '127.0.0.1', port: 4601, ...withoutUndefined(given.metrics) }
  return {
    file: options.file,
    issuer,
    host: env.COUNTERSIGN_HOST ?? given.host ?? '127.0.0.1',
    port: env.COUNTERSIGN_PORT ?? given.port ?? 4600,
    dataDir,
    ...resolveDatabase(given.database, env.COUNTERSIGN_DATABASE_URL, (path) => inDataDir(path, 'countersign.db')),
    databasePasswordFile: passwordFile,
    ...resolveKek(env.COUNTERSIGN_KEK_FILE ?? given.kekFile, env.CREDENTIALS_DIRECTORY, (path) =>
      env.COUNTERSIGN_KEK_FILE === undefined ? inDataDir(path, 'kek') : resolve(path ?? ''),
    ),
    previousKekFiles: (given.previousKekFiles ?? []).map(at),
    consumers: await resolveConsumers(given.consumers, at),
    subjectVerifiers: given.subjectVerifiers ?? [],
    keys,
    logLevel: env.COUNTERSIGN_LOG_LEVEL ?? given.log?.level ?? 'info',
    metrics:
      env.COUNTERSIGN_METRICS_PORT === undefined
        ? metrics
        : { host: metrics?.host ?? '127.0.0.1', port: env.COUNTERSIGN_METRICS_PORT },
    auditFile: inDataDir(given.auditFile, 'audit.jsonl'),
    maxStreams: given.revocations?.maxStreams ?? 2_000,
    trustedProxyHops: env.COUNTERSIGN_TRUST_PROXY ?? given.trustedProxyHops ?? 0,
  }
}

const sqlite = 'sqlite:'

/** Paths of the configuration are relative to its file, those of the environment to the process's folder. */
function resolveDatabase(
  given: string | undefined,
  fromEnvironment: string | undefined,
  inDataDir: (path: string | undefined) => string,
): Pick<ResolvedConfig, 'databaseFile' | 'databaseUrl'> {
  const used = fromEnvironment ?? given
  if (used !== undefined && !used.startsWith(sqlite)) return { databaseFile: inDataDir(undefined), databaseUrl: used }
  const databaseFile =
    fromEnvironment === undefined
      ? inDataDir(given?.slice(sqlite.length))
      : resolve(fromEnvironment.slice(sqlite.length))
  return { databaseFile, databaseUrl: undefined }
}

/** `credential:NAME` is what systemd provides under that name (`LoadCredential=`). */
function resolveKek(
  used: string | undefined,
  directory: string | undefined,
  pathOf: (path: string | undefined) => string,
): Pick<ResolvedConfig, 'kekFile' | 'kekCredential'> {
  const name = /^credential:(.*)$/.exec(used ?? '')?.[1]
  if (name === undefined) return { kekFile: pathOf(used), kekCredential: undefined }
  if (directory === undefined) {
    throw new ServerError('config_invalid', `kekFile: ${used} is there only for a unit of systemd that loads it`)
  }
  return { kekFile: join(directory, name), kekCredential: { name, directory } }
}

function withoutUndefined(value: { host?: string | undefined; port?: number | undefined } | undefined): {
  host?: string
  port?: number
} {
  return {
    ...(value?.host === undefined ? {} : { host: value.host }),
    ...(value?.port === undefined ? {} : { port: value.port }),
  }
}

async function resolveConsumers(given: string | object, at: (path: string) => string): Promise<ConsumerMatrix> {
  const found = typeof given === 'string' ? await readModule(at(given), 'consumers') : given
  return parseConsumers(found)
}
