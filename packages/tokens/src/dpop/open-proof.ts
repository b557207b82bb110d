import { engine } from '#engine'
import { parseStrictObject } from '../internal/strict-json.ts'
import { trustKey } from '../internal/trusted-key.ts'
import { jwkThumbprint } from '../thumbprint.ts'
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

/** The key's thumbprint and what else can be said of it without arithmetic: most wrong keys end here. */
async function nameKey(jwk: unknown, kind: string, expected: string | undefined): Promise<string> {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) {
    return rejectProof('proof_bad_key', 'header.jwk', 'The header has no key.')
  }
  const { kty, crv, x, y } = jwk as Readonly<Record<string, unknown>>
  if (`${kty} ${crv}` !== kind) {
    return rejectProof('proof_bad_key', 'header.jwk', "The key is not of the header's algorithm.")
  }
  const found = await readThumbprint({ kty, crv, x, y })
  if (expected !== undefined && found !== expected) {
    return rejectProof('proof_wrong_key', 'header.jwk', 'The proof was made with another key.')
  }
  return found
}

async function readThumbprint(members: Readonly<Record<string, unknown>>): Promise<string> {
  try {
    return await jwkThumbprint(members as unknown as DpopPublicJwk)
  } catch (cause) {
    if (!isTokensError(cause)) throw cause
    return rejectProof('proof_bad_key', 'header.jwk', cause.message, { cause })
  }
}

/** A sound point: finding that out takes ten times as long as a signature, for a key not seen before. */
function readKey(jwk: unknown): DpopPublicJwk {
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
  /** RFC 7638. */
  readonly thumbprint: string
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Shape, header, key, signature, strict JSON: in this order, each before the next is looked at.
 *
 * @param expectedThumbprint of the key that it must be, where that is known: any other is refused at little cost
 */
export async function openProof(proof: unknown, expectedThumbprint: string | undefined): Promise<OpenProof> {
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
  const thumbprint = await nameKey(header.jwk, kind, expectedThumbprint)
  const publicJwk = readKey(header.jwk)
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
  return { publicJwk, thumbprint, claims: readObject(body, 'claims') }
}
