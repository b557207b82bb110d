import { engine } from '#engine'
import { parseStrictObject } from '../internal/strict-json.ts'
import { trustKey } from '../internal/trusted-key.ts'
import { isTokensError } from '../tokens-error.ts'
import { type DpopPublicJwk, dpopPublicJwk } from './dpop-key.ts'
import { ProofRejected, type ProofRejectionCode } from './proof-rejection.ts'

/** Longest proof, in characters: one for the longest URL, with room for a nonce. */
export const longestProof = 4_096

export function rejectProof(code: ProofRejectionCode, where: string, message: string, options?: ErrorOptions): never {
  throw new ProofRejected(code, where, message, options)
}

/** Members that would bring another key, or change what is signed (RFC 7515 section 4.1, RFC 7797). */
const refusedMembers = ['crit', 'b64', 'jku', 'x5u', 'x5c', 'zip', 'enc'] as const

/** The kind of key that each algorithm on the list has. */
const kinds: ReadonlyMap<unknown, string> = new Map([
  ['EdDSA', 'OKP Ed25519'],
  ['Ed25519', 'OKP Ed25519'],
  ['ES256', 'EC P-256'],
])

function readObject(segment: string, part: 'header' | 'claims'): Readonly<Record<string, unknown>> {
  const text = engine.decodeText(segment)
  if (text === undefined)
    return rejectProof('proof_malformed', part, `The ${part} are no canonical base64url of UTF-8.`)
  const members = parseStrictObject(text)
  return members ?? rejectProof('proof_malformed', part, `The ${part} are no strict JSON object.`)
}

function readKey(jwk: unknown, kind: string): DpopPublicJwk {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) {
    return rejectProof('proof_bad_key', 'header.jwk', 'The header has no key.')
  }
  // Before the costly checks of a point: most wrong keys end here.
  const { kty, crv } = jwk as { kty?: unknown; crv?: unknown }
  if (`${kty} ${crv}` !== kind) {
    return rejectProof('proof_bad_key', 'header.jwk', "The key is not of the header's algorithm.")
  }
  try {
    return dpopPublicJwk(jwk)
  } catch (cause) {
    if (!isTokensError(cause)) throw cause
    return rejectProof('proof_bad_key', 'header.jwk', cause.message, { cause })
  }
}

/** A proof whose signature holds, by the key that it brings; nothing says yet whose key that is. */
export interface OpenProof {
  readonly publicJwk: DpopPublicJwk
  readonly claims: Readonly<Record<string, unknown>>
}

/** Shape, header, key, signature, strict JSON: in this order, each before the next is looked at. */
export async function openProof(proof: unknown): Promise<OpenProof> {
  if (typeof proof !== 'string') return rejectProof('proof_malformed', 'proof', 'The proof is not a string.')
  if (proof.length > longestProof) return rejectProof('proof_malformed', 'proof', 'The proof is too long.')
  const [head = '', body = '', tail = '', ...more] = proof.split('.', 4)
  if (head === '' || body === '' || tail === '' || more.length > 0) {
    return rejectProof('proof_malformed', 'proof', 'The proof is not three segments with dots between.')
  }
  const header = readObject(head, 'header')
  for (const name of refusedMembers) {
    if (Object.hasOwn(header, name))
      return rejectProof('proof_malformed', `header.${name}`, `The header has "${name}".`)
  }
  if (header.typ !== 'dpop+jwt') return rejectProof('proof_wrong_type', 'header.typ', 'The "typ" is not dpop+jwt.')
  const kind = kinds.get(header.alg)
  if (kind === undefined) return rejectProof('proof_unsupported_alg', 'header.alg', 'The algorithm is not on the list.')
  const publicJwk = readKey(header.jwk, kind)
  const lent = engine.decodeBytes(tail)
  if (lent === undefined) {
    return rejectProof('proof_malformed', 'signature', 'The signature is not canonical base64url.')
  }
  // The engine lends bytes until the next call only.
  const signature = new Uint8Array(lent)
  const key = trustKey({ ...publicJwk, alg: publicJwk.kty === 'EC' ? 'ES256' : 'EdDSA', kid: 'proof' }, engine.ed25519)
  const signedLength = head.length + 1 + body.length
  const holds =
    key.fits(signature) && (await key.signature.verify(new Uint8Array(engine.ascii(proof, signedLength)), signature))
  if (!holds) return rejectProof('proof_bad_signature', 'signature', 'The signature does not hold.')
  return { publicJwk, claims: readObject(body, 'claims') }
}
