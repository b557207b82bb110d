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
  const { BILLING_URL, CLIENT_ID, CLIENT_SECRET } = parsed.data
  const together = [BILLING_URL, CLIENT_ID, CLIENT_SECRET].filter((value) => value !== undefined).length
  if (together % 3 !== 0) throw new ConfigError(['BILLING_URL, CLIENT_ID, CLIENT_SECRET: expected all three, or none'])
  const { COUNTERSIGN_ISSUER, HOST, PORT, RESOURCE, METRICS_PORT, REVOCATIONS, COUNTERSIGN_LOG_LEVEL } = parsed.data
  return {
    issuer: COUNTERSIGN_ISSUER,
    host: HOST,
    port: PORT,
    logLevel: COUNTERSIGN_LOG_LEVEL,
    revocations: REVOCATIONS,
    ...(RESOURCE === undefined ? {} : { resource: RESOURCE }),
    ...(BILLING_URL === undefined || CLIENT_ID === undefined || CLIENT_SECRET === undefined
      ? {}
      : { checkout: { billing: BILLING_URL, client: { id: CLIENT_ID, secret: CLIENT_SECRET } } }),
    ...(METRICS_PORT === undefined ? {} : { metricsPort: METRICS_PORT }),
  }
}
