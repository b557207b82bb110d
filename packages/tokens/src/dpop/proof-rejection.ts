/** Why a proof was not accepted (RFC 9449 section 4.3). New codes may come in a minor release. */
export const proofRejectionCodes = [
  'proof_malformed',
  'proof_unsupported_alg',
  'proof_wrong_type',
  'proof_bad_key',
  'proof_bad_signature',
  'proof_bad_claims',
  'proof_wrong_method',
  'proof_wrong_url',
  'proof_wrong_token',
  'proof_wrong_key',
  'proof_wrong_nonce',
  'proof_too_old',
  'proof_too_new',
  'proof_replayed',
] as const

export type ProofRejectionCode = (typeof proofRejectionCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const proofRemedies: Readonly<Record<ProofRejectionCode, string>> = {
  proof_malformed:
    'Send exactly one proof in the DPoP header, as it was made: three base64url segments of strict JSON.',
  proof_unsupported_alg: 'Make the proof with an Ed25519 key (EdDSA) or a P-256 key (ES256).',
  proof_wrong_type: 'Send a proof (typ dpop+jwt), not a token or an assertion.',
  proof_bad_key:
    "Put the public key alone into the proof's header: no private member, a key of the header's algorithm.",
  proof_bad_signature: 'The proof was changed or signed by another key: make a new one.',
  proof_bad_claims: 'Give the proof its `jti`, `htm`, `htu` and a whole `iat`, each of the right type.',
  proof_wrong_method: 'Make a proof for each request: `htm` is the exact method of this one.',
  proof_wrong_url:
    'Make a proof for each request: `htu` is its URL without query. Behind a proxy, tell the server its public URL.',
  proof_wrong_token: 'Make the proof with the access token that goes with it, so that `ath` is its hash.',
  proof_wrong_key: 'Use the private key that the token was bound to; after losing it, get a new token.',
  proof_wrong_nonce: 'Make a new proof with the nonce of the last DPoP-Nonce header.',
  proof_too_old:
    'Make a proof for each request, just before it; if it was new, check that both clocks are synchronised.',
  proof_too_new: "Check that both clocks are synchronised: the sender's is ahead.",
  proof_replayed: 'Make a proof for each request, a repeated one too: each is good once.',
}

/** Thrown for a proof that is not accepted. Any other error is a fault of ours, never "invalid proof". */
export class ProofRejected extends Error {
  override readonly name = 'ProofRejected'
  readonly code: ProofRejectionCode
  /** The part that failed: `proof`, `header.jwk`, `claims.htu`, …; never a value out of the proof. */
  readonly where: string
  constructor(code: ProofRejectionCode, where: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.where = where
  }
  /** What the operator should do next. */
  get remedy(): string {
    return proofRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(proofRejectionCodes)

/** True for a {@link ProofRejected} of any installed copy of this package (two copies break `instanceof`). */
export function isProofRejection(error: unknown): error is ProofRejected {
  return error instanceof Error && error.name === 'ProofRejected' && 'code' in error && codes.has(error.code)
}
