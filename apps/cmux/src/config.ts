import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { logLevels } from '@countersign/observability'
import { ConfigError } from '@countersign-apps/kit'
import { z } from 'zod'
import { commandEnvironment } from './commands/environment.ts'
import { isLoopback } from './own-names.ts'

type Variables = Readonly<Record<string, string | undefined>>

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,7}$/, 'expected a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `expected ${least} to ${most}`)

const host = z.string().refine((value) => value === 'localhost' || isIP(value) !== 0, 'expected an IP address')

/** Without a path: the page, the WebSocket and the token service all lie at its root. */
const publicUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || url.origin !== value) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}, 'expected https://HOST[:PORT] (http on loopback only), without a path or a trailing slash')

const names = z
  .string()
  .regex(/^[A-Za-z_]\w*(?:,[A-Za-z_]\w*)*$/, 'expected names of variables, separated by commas')
  .transform((value) => value.split(','))

const environment = z
  .object({
    CMUX_HOST: host.default('127.0.0.1'),
    CMUX_PORT: whole(0, 65_535).default(4620),
    CMUX_PUBLIC_URL: publicUrl.optional(),
    CMUX_TLS_CERT: z.string().optional(),
    CMUX_TLS_KEY: z.string().optional(),
    CMUX_DATA_DIR: z.string().default('.cmux'),
    CMUX_WORKDIR: z.string().default('.'),
    CMUX_COMMAND_ENV: names.default([]),
    CMUX_COMMAND_SECONDS: whole(1, 86_400).default(600),
    CMUX_COMMANDS_AT_ONCE: whole(1, 64).default(4),
    CMUX_LOG_LEVEL: z.enum(logLevels).default('warn'),
  })
  .superRefine((value, context) => {
    const refuse = (path: keyof typeof value, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message })
    const hasTls = value.CMUX_TLS_CERT !== undefined && value.CMUX_TLS_KEY !== undefined
    if (!hasTls && value.CMUX_TLS_CERT !== value.CMUX_TLS_KEY) {
      refuse('CMUX_TLS_CERT', 'expected beside CMUX_TLS_KEY, or neither')
    }
    if (isLoopback(value.CMUX_HOST)) return
    if (!hasTls) {
      refuse(
        'CMUX_HOST',
        `${value.CMUX_HOST} can be reached from other machines, so TLS is needed: set CMUX_TLS_CERT and CMUX_TLS_KEY; or stay on 127.0.0.1 behind a proxy that ends TLS, and set CMUX_PUBLIC_URL to its https URL`,
      )
    }
    if (/^[0.:]+$/.test(value.CMUX_HOST) && value.CMUX_PUBLIC_URL === undefined) {
      refuse('CMUX_PUBLIC_URL', `expected, since ${value.CMUX_HOST} is no address that a browser can be sent to`)
    }
  })

/** The whole configuration but the password. */
export interface CmuxConfig {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Where people reach it. Https without `tls` says: a proxy on this machine ends TLS. @default where it listens */
  readonly publicUrl: string | undefined
  /** Files in PEM. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  readonly dataDir: string
  /** Where commands run, and all that they find in their environment. */
  readonly workdir: string
  readonly commandEnvironment: Readonly<Record<string, string>>
  readonly commandLimits: { readonly timeMs: number; readonly concurrent: number }
  /** Proxies in front that append to X-Forwarded-For. */
  readonly proxyHops: number
  readonly logLevel: (typeof logLevels)[number]
}

/**
 * Reads the configuration from the environment; an empty variable counts as absent, and a relative path is below the
 * process's folder.
 * @throws ConfigError that names each variable and what was expected
 */
export function readConfig(variables: Variables): CmuxConfig {
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = environment.safeParse(set)
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
  }
  const { data } = parsed
  const { CMUX_TLS_CERT: cert, CMUX_TLS_KEY: key, CMUX_PUBLIC_URL: url } = data
  const tls = cert === undefined || key === undefined ? undefined : { certFile: resolve(cert), keyFile: resolve(key) }
  return {
    host: data.CMUX_HOST === 'localhost' ? '127.0.0.1' : data.CMUX_HOST,
    port: data.CMUX_PORT,
    publicUrl: url,
    tls,
    dataDir: resolve(data.CMUX_DATA_DIR),
    workdir: resolve(data.CMUX_WORKDIR),
    commandEnvironment: commandEnvironment(variables, data.CMUX_COMMAND_ENV),
    commandLimits: { timeMs: data.CMUX_COMMAND_SECONDS * 1_000, concurrent: data.CMUX_COMMANDS_AT_ONCE },
    proxyHops: tls === undefined && url?.startsWith('https:') === true ? 1 : 0,
    logLevel: data.CMUX_LOG_LEVEL,
  }
}
