import { logLevels } from '@countersign/observability'
import { z } from 'zod'
import type { StartOptions } from './start-agent-api.ts'

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'expected a port number')
  .transform(Number)
  .refine((value) => value <= 65_535, 'expected a port up to 65535')

const environment = z.object({
  COUNTERSIGN_ISSUER: z
    .url({ protocol: /^https?$/, error: 'expected the URL of the issuer' })
    .default('http://127.0.0.1:4600'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(4610),
  RESOURCE: z.url({ protocol: /^https?$/, error: 'expected the URL that clients use' }).optional(),
  METRICS_PORT: port.optional(),
  REVOCATIONS: z.enum(['follow', 'off']).default('follow'),
  BILLING_URL: z.url({ protocol: /^https?$/, error: 'expected the URL of billing-worker' }).optional(),
  SUPPORT_URL: z.url({ protocol: /^https?$/, error: 'expected the URL of support-console' }).optional(),
  CLIENT_ID: z.string().min(1).max(256).optional(),
  CLIENT_SECRET: z.string().min(1).max(1024).optional(),
  COUNTERSIGN_LOG_LEVEL: z.enum(logLevels).default('info'),
})

/** What is wrong with the environment, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly lines: readonly string[]
  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.lines = lines
  }
}

/**
 * Reads the whole configuration from the environment; an empty variable counts as absent.
 * @throws ConfigError that names each variable and what was expected
 */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): StartOptions {
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = environment.safeParse(set)
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
  }
  const { BILLING_URL, SUPPORT_URL, CLIENT_ID, CLIENT_SECRET } = parsed.data
  if ((CLIENT_ID === undefined) !== (CLIENT_SECRET === undefined)) {
    throw new ConfigError(['CLIENT_ID, CLIENT_SECRET: expected both, or none'])
  }
  const client =
    CLIENT_ID === undefined || CLIENT_SECRET === undefined ? undefined : { id: CLIENT_ID, secret: CLIENT_SECRET }
  if (client === undefined && (BILLING_URL !== undefined || SUPPORT_URL !== undefined)) {
    throw new ConfigError(['BILLING_URL, SUPPORT_URL: expected CLIENT_ID and CLIENT_SECRET with them'])
  }
  const { COUNTERSIGN_ISSUER, HOST, PORT, RESOURCE, METRICS_PORT, REVOCATIONS, COUNTERSIGN_LOG_LEVEL } = parsed.data
  return {
    issuer: COUNTERSIGN_ISSUER,
    host: HOST,
    port: PORT,
    logLevel: COUNTERSIGN_LOG_LEVEL,
    revocations: REVOCATIONS,
    ...(RESOURCE === undefined ? {} : { resource: RESOURCE }),
    ...(client === undefined ? {} : { acknowledgeAs: client }),
    ...(BILLING_URL === undefined || client === undefined ? {} : { checkout: { billing: BILLING_URL, client } }),
    ...(SUPPORT_URL === undefined || client === undefined ? {} : { support: { console: SUPPORT_URL, client } }),
    ...(METRICS_PORT === undefined ? {} : { metricsPort: METRICS_PORT }),
  }
}
