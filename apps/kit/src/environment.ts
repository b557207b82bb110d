import { logLevels } from '@countersign/observability'
import { z } from 'zod'
import type { ConsumerStartOptions } from './start-consumer.ts'

/** Parts of an app's configuration, for `readEnvironment`. */
export const environmentParts = {
  port: z
    .string()
    .regex(/^\d{1,5}$/, 'expected a port number')
    .transform(Number)
    .refine((value) => value <= 65_535, 'expected a port up to 65535'),
  url: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }),
  text: z.string().min(1).max(1024),
}

const { port, url, text } = environmentParts

/** What every consumer of the fleet reads. */
export const consumerEnvironment = {
  COUNTERSIGN_ISSUER: url.default('http://127.0.0.1:4600'),
  HOST: text.default('127.0.0.1'),
  PORT: port.optional(),
  RESOURCE: url.optional(),
  METRICS_PORT: port.optional(),
  REVOCATIONS: z.enum(['follow', 'off']).default('follow'),
  CLIENT_ID: text.max(256).optional(),
  CLIENT_SECRET: text.optional(),
  COUNTERSIGN_LOG_LEVEL: z.enum(logLevels).default('info'),
}

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
 * Reads an app's whole configuration from the environment; an empty variable counts as absent.
 *
 * @throws ConfigError that names each variable and what was expected, never its value
 */
export function readEnvironment<Shape extends z.ZodRawShape>(
  shape: Shape,
  variables: Readonly<Record<string, string | undefined>>,
): z.output<z.ZodObject<Shape>> {
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = z.object(shape).safeParse(set)
  if (parsed.success) return parsed.data
  throw new ConfigError(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
}

/**
 * The start options that `consumerEnvironment` stands for.
 * @throws ConfigError for half an account
 */
export function toStartOptions(read: z.output<z.ZodObject<typeof consumerEnvironment>>): ConsumerStartOptions {
  const { CLIENT_ID, CLIENT_SECRET } = read
  if ((CLIENT_ID === undefined) !== (CLIENT_SECRET === undefined)) {
    throw new ConfigError(['CLIENT_ID, CLIENT_SECRET: expected both, or none'])
  }
  return {
    ...(CLIENT_ID === undefined || CLIENT_SECRET === undefined
      ? {}
      : { acknowledgeAs: { id: CLIENT_ID, secret: CLIENT_SECRET } }),
    issuer: read.COUNTERSIGN_ISSUER,
    host: read.HOST,
    logLevel: read.COUNTERSIGN_LOG_LEVEL,
    revocations: read.REVOCATIONS,
    ...(read.PORT === undefined ? {} : { port: read.PORT }),
    ...(read.RESOURCE === undefined ? {} : { resource: read.RESOURCE }),
    ...(read.METRICS_PORT === undefined ? {} : { metricsPort: read.METRICS_PORT }),
  }
}
