import {
  type AuthorizationServer,
  type ClientAuth,
  ClientSecretPost,
  modifyAssertion,
  None,
  PrivateKeyJwt,
} from 'oauth4webapi'
import { TokenSourceError } from './errors.ts'
import type { ClientOptions, PrivateJwk } from './options.ts'

/** How the client shows who it is, in the way that the server's metadata takes. */
export async function authenticationOf(client: ClientOptions, server: AuthorizationServer): Promise<ClientAuth> {
  if (client.privateKey !== undefined) {
    const named = 'kty' in client.privateKey ? client.privateKey : undefined
    const key = named === undefined ? (client.privateKey as CryptoKey) : await importedKey(named)
    const takes = server.token_endpoint_auth_signing_alg_values_supported
    return PrivateKeyJwt(named?.kid === undefined ? key : { key, kid: named.kid }, {
      [modifyAssertion](header) {
        // RFC 9864 renamed it; most servers know the older name alone.
        if (header.alg === 'Ed25519' && !(takes?.includes('Ed25519') && !takes.includes('EdDSA'))) header.alg = 'EdDSA'
      },
    })
  }
  if (client.secret === undefined) return None()
  const posted = (client.method ?? usualMethod(server)) === 'client_secret_post'
  return posted ? ClientSecretPost(client.secret) : secretInHeader(client.secret)
}

/**
 * RFC 6749 section 2.3.1, with the encoding of its appendix B and no more: some servers take the header as it comes, and
 * know a client `nightly-etl` but none named `nightly%2Detl`.
 */
function secretInHeader(secret: string): ClientAuth {
  return (_server, client, _body, headers) => {
    headers.set('authorization', `Basic ${btoa(`${formEncoded(client.client_id)}:${formEncoded(secret)}`)}`)
  }
}

const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)

function usualMethod({ token_endpoint_auth_methods_supported: methods }: AuthorizationServer): ClientOptions['method'] {
  // RFC 8414 section 2: without a list it is client_secret_basic.
  const onlyPost = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic')
  return onlyPost ? 'client_secret_post' : 'client_secret_basic'
}

const imported = new WeakMap<PrivateJwk, Promise<CryptoKey>>()

function importedKey(jwk: PrivateJwk): Promise<CryptoKey> {
  const known = imported.get(jwk) ?? importKey(jwk)
  imported.set(jwk, known)
  return known
}

async function importKey(jwk: PrivateJwk): Promise<CryptoKey> {
  const algorithm = algorithmOf(jwk)
  try {
    if (algorithm !== undefined)
      return await crypto.subtle.importKey('jwk', { ...jwk, key_ops: ['sign'] }, algorithm, false, ['sign'])
  } catch {
    // The engine's message may quote the key.
  }
  throw new TokenSourceError('bad_option', 'client.privateKey is no private Ed25519, P-256 or RSA (RS256, PS256) JWK')
}

function algorithmOf({
  kty,
  crv,
  alg,
}: PrivateJwk): EcKeyImportParams | RsaHashedImportParams | { name: string } | undefined {
  if (kty === 'OKP' && crv === 'Ed25519') return { name: 'Ed25519' }
  if (kty === 'EC' && crv === 'P-256') return { name: 'ECDSA', namedCurve: 'P-256' }
  if (kty === 'RSA' && alg === 'RS256') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  if (kty === 'RSA' && alg === 'PS256') return { name: 'RSA-PSS', hash: 'SHA-256' }
  return undefined
}
