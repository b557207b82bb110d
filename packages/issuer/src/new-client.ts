import { z } from 'zod'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { isLoopback } from './options.ts'
import type { ClientKey, ClientRecord, ClientSecret } from './ports.ts'
import { newId } from './random.ts'
import type { NewClient } from './types.ts'

const schema = z.strictObject({
  name: z.string(),
  type: z.enum(['confidential', 'public']).default('confidential'),
  grants: z.array(z.enum(['sign_in', 'client_credentials', 'refresh_token', 'token_exchange'])).min(1),
  audiences: z.array(z.string()).min(1).max(64),
  scopes: z.array(z.string()).max(256).nullable().default(null),
  origins: z.array(z.string()).max(32).default([]),
  refreshDelivery: z.enum(['cookie', 'body']).optional(),
  synthetic: z.boolean().default(false),
  // Until the year 9999: who gives milliseconds is told.
  secretExpiresAt: z.int().max(253_402_300_799).nullable().optional(),
  publicKey: z.unknown().optional(),
  actor: z.unknown().optional(),
})

const nameShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** @throws IssuerError `invalid_name`, `invalid_option` naming the field */
export function newClientRecord(
  context: Context,
  input: NewClient,
  secrets: readonly ClientSecret[],
  keys: readonly ClientKey[],
): ClientRecord {
  const parsed = schema.safeParse(input)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw refuse(issue?.path.join('.') ?? 'client', issue?.message ?? 'invalid')
  }
  const { name, type, grants, audiences, scopes, origins } = parsed.data
  if (!nameShape.test(name) || /^(?:client|user)_/i.test(name)) {
    throw new IssuerError(
      'invalid_name',
      'A client name has 1 to 64 letters, digits, dots, underscores and hyphens, begins with a letter or digit, and never with client_ or user_.',
    )
  }
  const refreshDelivery = parsed.data.refreshDelivery ?? (type === 'public' && origins.length > 0 ? 'cookie' : 'body')
  checkGrants(type, grants)
  if (type === 'public' && keys.length > 0) throw refuse('publicKey', 'a public client does not authenticate')
  const { secretExpiresAt } = parsed.data
  if (typeof secretExpiresAt === 'number' && (secrets.length === 0 || secretExpiresAt <= context.now())) {
    throw refuse('secretExpiresAt', 'expected a time to come, of a client with a secret')
  }
  checkReach(context, audiences, scopes)
  for (const origin of origins) checkOriginText(origin)
  if (refreshDelivery === 'cookie' && (type !== 'public' || origins.length === 0)) {
    throw refuse('refreshDelivery', 'a cookie is for public clients with origins')
  }
  if (refreshDelivery === 'body' && origins.length > 0 && grants.includes('refresh_token')) {
    const asksForCookie = audiences.find((name) => context.resources.get(name)?.consumer.refresh === 'cookie')
    if (asksForCookie !== undefined) {
      throw refuse('refreshDelivery', `browser clients of "${asksForCookie}" keep the refresh token in a cookie`)
    }
  }
  return {
    id: `client_${newId()}`,
    name,
    type,
    firstParty: grants.includes('sign_in'),
    grants: [...new Set(grants)],
    audiences: [...new Set(audiences)],
    scopes: scopes === null ? null : [...new Set(scopes)],
    origins: [...new Set(origins)],
    refreshDelivery,
    secrets,
    keys,
    generation: 0,
    synthetic: parsed.data.synthetic,
    createdAt: context.now(),
    disabledAt: null,
  }
}

function checkGrants(type: ClientRecord['type'], grants: readonly string[]): void {
  if (type === 'public' && grants.includes('client_credentials')) {
    throw refuse('grants', 'client_credentials needs a confidential client (RFC 6749 section 4.4)')
  }
  if (type === 'public' && grants.includes('token_exchange')) {
    throw refuse('grants', 'token_exchange needs a confidential client: who exchanges must be known')
  }
  if (grants.includes('refresh_token') && !grants.includes('sign_in')) {
    throw refuse('grants', 'refresh_token comes with sign_in: client credentials have no refresh token')
  }
}

function checkReach(context: Context, audiences: readonly string[], scopes: readonly string[] | null): void {
  const reachable = new Set<string>()
  for (const audience of audiences) {
    const resource = context.resources.get(audience)
    if (resource === undefined) throw refuse('audiences', `"${audience}" is not in the consumer matrix`)
    for (const scope of resource.scopes) reachable.add(scope)
  }
  for (const scope of scopes ?? []) {
    if (!reachable.has(scope)) throw refuse('scopes', `none of its audiences has "${scope}"`)
  }
}

function checkOriginText(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))
  if (!secure || url.origin !== text || text.includes('*')) {
    throw refuse(
      'origins',
      'expected scheme, host and port exactly as a browser sends them; https, or http on loopback',
    )
  }
}

function refuse(field: string, message: string): IssuerError {
  return new IssuerError('invalid_option', `${field}: ${message}`)
}
