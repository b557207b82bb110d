import { GuardError } from './errors.ts'
import type { Guard } from './guard.ts'

/** Where RFC 9728 metadata lies, before a resource's own path. */
export const metadataPath = '/.well-known/oauth-protected-resource'

/** The RFC 9728 section 2 document of a consumer. */
export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly authorization_servers?: readonly string[]
  readonly scopes_supported?: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
}

/**
 * What a consumer says of itself (RFC 9728): where it answers, who issues its tokens, which scopes it knows.
 * @throws GuardError `no_resource` if the guard does not know where its consumer answers
 */
export function protectedResourceMetadata(guard: Guard): ProtectedResourceMetadata {
  if (guard.resource === undefined) {
    throw new GuardError('no_resource', 'The guard does not know the URL that its consumer answers at.')
  }
  return {
    resource: guard.resource,
    ...(guard.issuer === undefined ? {} : { authorization_servers: [guard.issuer] }),
    ...(guard.scopes === undefined ? {} : { scopes_supported: guard.scopes }),
    bearer_methods_supported: ['header'],
  }
}

/**
 * The URL of a resource's metadata: the well-known path goes between host and path (RFC 9728 section 3.1).
 * `undefined` for a guard that has no resource.
 */
export function resourceMetadataUrl(guard: Pick<Guard, 'resource'>): string | undefined {
  if (guard.resource === undefined) return undefined
  const url = parseResourceUrl(guard.resource)
  return `${url.origin}${metadataPath}${url.pathname === '/' ? '' : url.pathname}`
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** @throws GuardError `bad_option`, unless it is https (http on loopback) without query, fragment, credentials and white space, at most 512 characters */
export function parseResourceUrl(resource: string): URL {
  const url = URL.canParse(resource) ? new URL(resource) : undefined
  // The latter as challenges name it: with what is not ASCII written out.
  if (url === undefined || resource.length > 512 || url.href.length > 512) {
    throw new GuardError('bad_option', '`resource` is not an absolute URL of at most 512 characters.')
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.test(url.hostname))) {
    throw new GuardError('bad_option', '`resource` must use https; http is for loopback only.')
  }
  if (url.username !== '' || url.password !== '' || /[?#\s]/.test(resource)) {
    throw new GuardError('bad_option', '`resource` must have no credentials, query, fragment or white space.')
  }
  return url
}
