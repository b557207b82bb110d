import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AuthConfigShape } from '@countersign/clerk-convex/environment'
import { z } from 'zod'
import type { CliIo } from '../io.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** Convex's own words: OpenID Connect providers take RS256 and EdDSA, custom ones the algorithm that they name. */
const oidc = z.looseObject({ domain: z.string().min(1), applicationID: z.string().min(1) })
const customJwt = z.looseObject({
  type: z.literal('customJwt'),
  issuer: z.string().min(1),
  jwks: z.string().min(1),
  algorithm: z.enum(['RS256', 'ES256']),
  applicationID: z.string().min(1).optional(),
})
const shape = z.looseObject({ providers: z.array(z.union([customJwt, oidc])).min(1) })

type AuthConfig = z.infer<typeof shape>
type Provider = AuthConfig['providers'][number]

/** Convex's `auth.config.ts` beside the settings: who takes Clerk's tokens, and whether anybody else would. */
export async function checkAuthConfig(
  file: string,
  issuer: string | undefined,
  assertNoOverlap: (config: AuthConfigShape) => unknown,
  { cwd }: Pick<CliIo, 'cwd'>,
): Promise<Finding[]> {
  let exported: unknown
  try {
    exported = await load(resolve(cwd, file))
  } catch {
    // Not why: it may be a secret's absence, or its presence, that the file throws with.
    const remedy = 'Check the path; where the file reads the environment, run this with the same one.'
    return [error('auth.config', 'The file cannot be loaded.', file, remedy)]
  }
  const parsed = shape.safeParse(exported)
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? ''
    const remedy =
      'Make providers with `clerkProvider` and `legacyProvider`: Convex verifies RS256 and ES256 by a key set, RS256 and EdDSA by discovery.'
    return [
      error(
        'auth.config',
        `It is no configuration that Convex can use${path === '' ? '' : `, at ${path}`}.`,
        file,
        remedy,
      ),
    ]
  }
  const { providers } = parsed.data
  const findings = [
    ...overlaps(providers, assertNoOverlap, file),
    ...open(providers, file),
    ...clerks(providers, issuer, file),
  ]
  return findings.length > 0 ? findings : [ok('auth.config', 'Each token fits one provider at most.', file)]
}

async function load(file: string): Promise<unknown> {
  if (extname(file) === '.json') return JSON.parse(await readFile(file, 'utf8'))
  const loaded: Record<string, unknown> = await import(pathToFileURL(file).href)
  return loaded.default
}

function overlaps(
  providers: readonly Provider[],
  assert: (config: AuthConfigShape) => unknown,
  file: string,
): Finding[] {
  try {
    assert({ providers: providers as AuthConfigShape['providers'] })
    return []
  } catch (thrown) {
    const which = thrown instanceof Error ? thrown.message : 'Two providers fit the same tokens.'
    const remedy = 'Convex takes the first that fits: give each pair of issuer and audience to one provider only.'
    return [error('auth.config', which, file, remedy)]
  }
}

/** Without an audience it takes every token of its issuer, made for whomever. */
function open(providers: readonly Provider[], file: string): Finding[] {
  return providers.flatMap((provider, index) =>
    provider.applicationID === undefined
      ? [
          warning(
            'auth.config',
            `providers.${index} takes tokens for any audience.`,
            file,
            'Give it an `applicationID`: the audience of the tokens that are meant.',
          ),
        ]
      : [],
  )
}

function clerks(providers: readonly Provider[], issuer: string | undefined, file: string): Finding[] {
  if (issuer === undefined) return []
  const issuers = providers.map((provider) => String('domain' in provider ? provider.domain : provider.issuer))
  if (issuers.includes(issuer)) return []
  const nearly = issuers.findIndex((one) => hostOf(one) === hostOf(issuer))
  if (nearly !== -1) {
    const what = `providers.${nearly} names Clerk's issuer, but writes it in another way.`
    return [
      error('auth.config', what, file, 'Write it exactly as in `iss`: with https://, and without a slash at the end.'),
    ]
  }
  return [
    error(
      'auth.config',
      "No provider is Clerk's issuer.",
      file,
      'Add `clerkProvider({ issuer })` with the issuer of this stage.',
    ),
  ]
}

function hostOf(issuer: string): string {
  const url = /^https?:\/\//iu.test(issuer) ? issuer : `https://${issuer}`
  return URL.canParse(url) ? new URL(url).host : issuer
}
