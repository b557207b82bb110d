import { readFile } from 'node:fs/promises'
import { type ClerkSubjects, type ClerkSubjectsOptions, clerkSubjects } from '@countersign/clerk-convex/server'
import { ServerError } from '@countersign/server'
import { z } from 'zod'
import { consumers } from './consumers.ts'

/** The instance of Clerk whose sessions may be exchanged for tokens of MCP servers. */
export interface ClerkSettings {
  /** The Frontend API URL, exactly as in `iss`. */
  readonly issuer: string
  readonly authorizedParties: readonly string[]
  readonly signingSecrets: readonly string[]
  /** The instance's key set, pinned. @default read from the instance */
  readonly jwks: Exclude<ClerkSubjectsOptions['keys'], undefined> | undefined
  /** A session must have chosen one of these. @default any, or none */
  readonly organizations: readonly string[] | undefined
}

const list = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter(Boolean))
  .pipe(z.array(z.string()).min(1).max(32))

const environmentSchema = z.object({
  // An origin, byte for byte as in `iss`: a slash at the end would make every session one of somebody else.
  CLERK_ISSUER: z
    .string()
    .refine(
      (value) => /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value,
      'expected the Frontend API URL, without a slash at the end',
    ),
  CLERK_AUTHORIZED_PARTIES: list,
  CLERK_WEBHOOK_SIGNING_SECRET: list.pipe(z.array(z.string().startsWith('whsec_', 'expected whsec_…')).max(4)),
  CLERK_JWKS_FILE: z.string().min(1).optional(),
  CLERK_ORGANIZATIONS: list.optional(),
})

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.literal('RSA'), kid: z.string() })).min(1) })

/**
 * `CLERK_ISSUER`, `CLERK_AUTHORIZED_PARTIES` and `CLERK_WEBHOOK_SIGNING_SECRET` (lists by commas), and where they are wanted
 * `CLERK_JWKS_FILE` and `CLERK_ORGANIZATIONS`.
 *
 * @returns undefined without a `CLERK_ISSUER`
 * @throws ServerError `config_invalid`, naming what is wrong and never a value
 */
export async function clerkSettings(
  env: Readonly<Record<string, string | undefined>>,
): Promise<ClerkSettings | undefined> {
  if (env.CLERK_ISSUER === undefined) return undefined
  const parsed = environmentSchema.safeParse(env)
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `environment: ${path[0]?.toString()}: ${message}`)
    throw new ServerError('config_invalid', lines.join('\n'))
  }
  const { CLERK_JWKS_FILE: file, ...read } = parsed.data
  return {
    issuer: read.CLERK_ISSUER,
    authorizedParties: read.CLERK_AUTHORIZED_PARTIES,
    signingSecrets: read.CLERK_WEBHOOK_SIGNING_SECRET,
    jwks: file === undefined ? undefined : await readJwks(file),
    organizations: read.CLERK_ORGANIZATIONS,
  }
}

async function readJwks(file: string): Promise<ClerkSettings['jwks']> {
  try {
    return jwksSchema.parse(JSON.parse(await readFile(file, 'utf8'))) as ClerkSettings['jwks']
  } catch (cause) {
    throw new ServerError('config_invalid', 'environment: CLERK_JWKS_FILE: expected a file with a JWKS of Clerk', {
      cause,
    })
  }
}

/** Its sessions are sent to `mcp-bridge`: that consumer's edges say which servers they lead to, and for what. */
export function clerkSubjectsOf({ jwks, organizations, ...settings }: ClerkSettings): ClerkSubjects {
  const scopes = Object.keys(consumers['mcp-bridge'].scopes)
  return clerkSubjects({
    ...settings,
    ...(jwks === undefined ? {} : { keys: jwks }),
    sentTo: 'mcp-bridge',
    scopes,
    grants: ({ organization }) =>
      organizations === undefined || organizations.includes(organization?.id ?? '') ? scopes : [],
  })
}
