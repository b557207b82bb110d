import { engine } from '#engine'
import { type Clock, systemClock } from '../clock.ts'
import { TokensError } from '../tokens-error.ts'
import { sha256Text } from './digest.ts'
import { type DpopKey, randomProofId } from './dpop-key.ts'
import { targetUrl } from './target-url.ts'

/** Bytes of an Ed25519 or ES256 signature in a JWS. */
const signatureBytes = 64

export interface DpopProofOptions {
  readonly key: DpopKey
  /** The exact method of the request: `GET`. */
  readonly method: string
  /** Where the request goes; query and fragment stay out of the proof. */
  readonly url: string
  /** The token that goes with the request, if one does. */
  readonly accessToken?: string
  /** What the server's last `DPoP-Nonce` header said, if it sent one. */
  readonly nonce?: string
  readonly clock?: Clock
}

/**
 * A proof for one request (RFC 9449 section 4.2), for the `DPoP` header. A repeated request needs a new one.
 *
 * @throws TokensError `bad_option` for a URL that no proof can be for; `signing_failed`
 */
export async function createDpopProof(options: DpopProofOptions): Promise<string> {
  const { key, method, url, accessToken, nonce, clock = systemClock } = options
  const htu = targetUrl(url)
  if (htu === undefined) {
    throw new TokensError('bad_option', 'createDpopProof: "url" is not an absolute, normalised http or https URL.')
  }
  const claims = {
    jti: randomProofId(),
    htm: method,
    htu,
    iat: Math.floor(clock.now()),
    ...(accessToken === undefined ? {} : { ath: await sha256Text(accessToken) }),
    ...(nonce === undefined ? {} : { nonce }),
  }
  const header = { typ: 'dpop+jwt', alg: key.algorithm, jwk: key.publicJwk }
  const input = `${engine.encodeText(JSON.stringify(header))}.${engine.encodeText(JSON.stringify(claims))}`
  const signature = await key.sign(new Uint8Array(engine.ascii(input, input.length)))
  if (signature.length !== signatureBytes) {
    throw new TokensError('signing_failed', `The key did not return a signature of ${signatureBytes} bytes.`)
  }
  return `${input}.${engine.encodeBytes(signature)}`
}
