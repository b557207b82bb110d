import { algorithmParts, type Engine, type HmacKey, type SignatureKey } from './engine-contract.ts'
import { decodeBase64Url, encodeBase64Url } from './internal/base64url.ts'

type ImportParameters = Parameters<typeof crypto.subtle.importKey>[2]
type VerifyParameters = Parameters<typeof crypto.subtle.verify>[0]

/** WebCrypto's types want a view on memory that cannot be shared between threads. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

function webKey(jwk: JsonWebKey, imported: ImportParameters, parameters: VerifyParameters): SignatureKey {
  const key = crypto.subtle.importKey('jwk', jwk, imported, false, ['verify'])
  // Whoever verifies sees the failure; nobody may ever do so.
  key.catch(() => {})
  return {
    verify: async (data, signature) => {
      const [dataCopy, signatureCopy] = [own(data), own(signature)]
      return await crypto.subtle.verify(parameters, await key, signatureCopy, dataCopy)
    },
  }
}

function importKey(jwk: object, algorithm: string): SignatureKey {
  const { kind, hash, curve } = algorithmParts(algorithm)
  if (curve !== undefined) return webKey(jwk, { name: kind, namedCurve: curve }, { name: kind, hash })
  // RFC 7518 section 3.5: the salt is as long as the hash.
  const saltLength = Number(hash.slice(4)) / 8
  return webKey(jwk, { name: kind, hash }, kind === 'RSA-PSS' ? { name: kind, saltLength } : { name: kind })
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeText(segment: string): string | undefined {
  const bytes = decodeBase64Url(segment)
  if (bytes === undefined) return undefined
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

function hmacKey(secret: Uint8Array): HmacKey {
  const parameters = { name: 'HMAC', hash: 'SHA-256' }
  const key = crypto.subtle.importKey('raw', own(secret), parameters, false, ['sign', 'verify'])
  key.catch(() => {})
  return {
    sign: async (data) => {
      const copy = own(data)
      return new Uint8Array(await crypto.subtle.sign('HMAC', await key, copy))
    },
    verify: async (data, signature) => {
      const [dataCopy, signatureCopy] = [own(data), own(signature)]
      return await crypto.subtle.verify('HMAC', await key, signatureCopy, dataCopy)
    },
  }
}

/** WebCrypto: browsers, workers, edge runtimes. Never synchronous. */
export const engine: Engine = {
  ed25519: {
    name: 'webcrypto',
    importKey: (publicKey) => {
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey) }
      return webKey(jwk, { name: 'Ed25519' }, { name: 'Ed25519' })
    },
  },
  importKey,
  decodeText,
  decodeBytes: decodeBase64Url,
  ascii: (text, length) => encoder.encode(text.slice(0, length)),
  // The language has nothing that copies a text for certain.
  ownText: (text) => text,
  encodeText: (text) => encodeBase64Url(encoder.encode(text)),
  encodeBytes: encodeBase64Url,
  hmacKey,
}
