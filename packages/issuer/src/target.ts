import type { ObtainedBy } from '@countersign/consumers'
import type { Context, Resource } from './context.ts'
import type { ClientRecord, UserRecord } from './ports.ts'
import { refusal } from './refusals.ts'
import type { Target } from './types.ts'

export interface Granted {
  readonly resource: Resource
  /** Space-separated, each scope once. */
  readonly scope: string
}

/**
 * Which audience and which scopes a request gets. Without a scope it is everything that the client is allowed there
 * (RFC 6749 section 3.3 asks for a documented default): to get less, ask for less, or narrow the client's record.
 * @throws IssuerError `invalid_target`, `invalid_scope`
 */
export function decideTarget(context: Context, client: ClientRecord, by: ObtainedBy, target: Target): Granted {
  const named = namedResource(context, target) ?? onlyResource(context, client, by)
  const resource = usable(client, named)
  if (!resource.consumer.obtainedBy.includes(by)) {
    if (!isOwn(client, resource, by)) throw refusal('audience_not_this_way')
    if (target.scope !== undefined) throw refusal('scope_not_allowed')
    return { resource, scope: '' }
  }
  return { resource, scope: decideScope(client, resource, by, target.scope) }
}

/** A consumer's own client may always get a token without scopes for it: what it acknowledges the feed with. */
function isOwn(client: ClientRecord, { consumer }: Resource, by: ObtainedBy): boolean {
  return by === 'client-credentials' && client.name === consumer.audience
}

/** @throws IssuerError `invalid_target` when the client may not use it (any more) */
export function usable(client: ClientRecord, resource: Resource | undefined): Resource {
  if (resource === undefined || !client.audiences.includes(resource.consumer.audience))
    throw refusal('audience_unknown')
  return resource
}

/**
 * @returns undefined when the request names none
 * @throws IssuerError `invalid_target`
 */
export function namedResource(context: Context, target: Target): Resource | undefined {
  const { audience, resource } = target
  if (audience === undefined && resource === undefined) return undefined
  const byName = audience === undefined ? undefined : context.resources.get(audience)
  const byUrl = resource === undefined ? undefined : context.byUrl.get(resource)
  if (audience !== undefined && byName === undefined) throw refusal('audience_unknown')
  if (resource !== undefined && byUrl === undefined) throw refusal('audience_unknown')
  if (byName !== undefined && byUrl !== undefined && byName !== byUrl) throw refusal('audience_and_resource')
  return byName ?? byUrl
}

const none: ReadonlySet<string> = new Set()

function onlyResource(context: Context, client: ClientRecord, by: ObtainedBy): Resource | undefined {
  let only: Resource | undefined
  for (const audience of client.audiences) {
    const resource = context.resources.get(audience)
    if (resource === undefined) continue
    if (!resource.consumer.obtainedBy.includes(by) && !isOwn(client, resource, by)) continue
    if (only !== undefined) throw refusal('audience_missing')
    only = resource
  }
  if (only === undefined) throw refusal('audience_not_this_way')
  return only
}

function decideScope(client: ClientRecord, resource: Resource, by: ObtainedBy, requested: string | undefined): string {
  // For whom an app signs in, their own account decides; a service has no other record than this one.
  const unnamed = by === 'client-credentials' && client.scopes === null ? resource.byName : none
  if (requested === undefined) {
    if (client.scopes === null && unnamed.size === 0) return resource.allScopes
    return [...resource.scopes].filter((scope) => isAllowed(client, resource, scope) && !unnamed.has(scope)).join(' ')
  }
  const wanted = parseScope(requested)
  for (const scope of wanted) {
    if (!isAllowed(client, resource, scope) || unnamed.has(scope)) throw refusal('scope_not_allowed')
  }
  return [...wanted].join(' ')
}

/**
 * What is left of a sign-in's scopes for this user. Said only once the password was right.
 * @throws IssuerError `invalid_scope` when the request asked for more
 */
export function narrowToUser(
  granted: Granted,
  { scopes }: Pick<UserRecord, 'scopes'>,
  requested: string | undefined,
): Granted {
  const { byName } = granted.resource
  if (scopes === null && byName.size === 0) return granted
  const wanted = granted.scope === '' ? [] : granted.scope.split(' ')
  const allowed = wanted.filter((scope) => (scopes === null ? !byName.has(scope) : scopes.includes(scope)))
  if (requested !== undefined && allowed.length < wanted.length) throw refusal('scope_not_allowed')
  return { ...granted, scope: allowed.join(' ') }
}

export function isAllowed(client: ClientRecord, resource: Resource, scope: string): boolean {
  return resource.scopes.has(scope) && (client.scopes === null || client.scopes.includes(scope))
}

const maxScopes = 64
// RFC 6749 section 3.3: any printable ASCII except space, " and \.
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** @throws IssuerError `invalid_scope` */
export function parseScope(text: string): ReadonlySet<string> {
  const parts = text.split(' ', maxScopes + 1)
  if (parts.length > maxScopes || !parts.every((part) => scopeToken.test(part))) throw refusal('scope_malformed')
  return new Set(parts)
}
