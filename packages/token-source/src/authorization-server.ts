import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  discoveryRequest,
  processDiscoveryResponse,
} from 'oauth4webapi'
import type { boundedFetch } from './bounded-fetch.ts'
import { checkUrl } from './check-options.ts'
import { TokenSourceError } from './errors.ts'
import type { ServerOptions } from './options.ts'

/** How long a server's metadata is believed. */
const metadataLifeMs = 3_600_000

/** Finds the token endpoint: as told, or by the metadata (RFC 8414; OpenID's document where a server has only that). */
export function createServer(
  { issuer, tokenEndpoint }: ServerOptions,
  read: ReturnType<typeof boundedFetch>,
): { find(): Promise<AuthorizationServer> } {
  if (tokenEndpoint !== undefined) {
    const told = { issuer, token_endpoint: tokenEndpoint }
    return { find: async () => told }
  }
  let known: { readonly metadata: AuthorizationServer; readonly ms: number } | undefined
  return {
    async find() {
      if (known !== undefined && performance.now() - known.ms < metadataLifeMs) return known.metadata
      const metadata = await discover(issuer, read)
      known = { metadata, ms: performance.now() }
      return metadata
    },
  }
}

async function discover(issuer: string, read: ReturnType<typeof boundedFetch>): Promise<AuthorizationServer> {
  const url = new URL(issuer)
  const look = async (algorithm: 'oauth2' | 'oidc'): Promise<Response> =>
    discoveryRequest(url, { algorithm, [customFetch]: read, [allowInsecureRequests]: true })
  let response = await look('oauth2')
  if (response.status >= 400 && response.status < 500) response = await look('oidc')
  if (response.status >= 500 || response.status === 429) {
    throw new TokenSourceError('unavailable', `the authorization server's metadata answered ${response.status}`)
  }
  const metadata = await processDiscoveryResponse(url, response)
  // RFC 8414 section 3.3: the same to the byte; a slash at the end counts.
  if (metadata.issuer !== issuer) {
    throw new TokenSourceError(
      'answer_invalid',
      `the metadata's issuer is ${JSON.stringify(metadata.issuer.slice(0, 200))}`,
    )
  }
  const endpoint = metadata.token_endpoint
  if (endpoint === undefined) throw new TokenSourceError('answer_invalid', 'the metadata names no token endpoint')
  try {
    checkUrl(endpoint, 'token_endpoint')
  } catch {
    throw new TokenSourceError('answer_invalid', "the metadata's token endpoint is no https address")
  }
  return metadata
}
