import * as z from 'zod'
import { type Clock, systemClock } from '../clock.ts'
import { TokensError } from '../tokens-error.ts'
import { sha256Text } from './digest.ts'
import type { DpopPublicJwk } from './dpop-key.ts'
import { openProof, rejectProof } from './open-proof.ts'
import { targetUrl } from './target-url.ts'
import type { UsedProofs } from './used-proofs.ts'

/** The key that a token is bound to; a token is never checked without it. */
type Binding =
  | {
      /** The token that came with the proof. */
      readonly accessToken: string
      /** `cnf.jkt` of that token. */
      readonly expectedThumbprint: string
    }
  | {
      readonly accessToken?: undefined
      /** The key that the sender must have, where it is known without a token. */
      readonly expectedThumbprint?: string
    }

interface Expectations {
  /** The value of the `DPoP` header; whoever finds two of them refuses without asking here. */
  readonly proof: string
  /** The exact method of the request. */
  readonly method: string
  /** The URL of the request as its sender knows it, behind proxies too; the query does not matter. */
  readonly url: string
  readonly usedProofs: UsedProofs
  /** Any of these, where the server hands out nonces (RFC 9449 section 8); else what a proof says is not looked at. */
  readonly nonce?: string | readonly string[]
  /** Seconds that a proof is good for, 5 to 300. @default 60 */
  readonly maxAgeSeconds?: number
  /** Seconds of clock difference to forgive, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  readonly clock?: Clock
}

export type CheckDpopProofOptions = Expectations & Binding

/** A proof that holds, for this request, for the first time. */
export interface CheckedProof {
  /** RFC 7638: what a token for this sender is bound to. */
  readonly thumbprint: string
  readonly publicJwk: DpopPublicJwk
  /** Unix seconds, by the sender's clock. */
  readonly issuedAt: number
}

const thumbprintShape = /^[\w-]{43}$/
const optionsSchema = z.object({
  method: z.string().min(1).max(32),
  url: z.string(),
  accessToken: z.string().min(1).optional(),
  expectedThumbprint: z.string().regex(thumbprintShape).optional(),
  nonce: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  maxAgeSeconds: z.number().min(5).max(300).default(60),
  clockToleranceSeconds: z.number().min(0).max(60).default(5),
})

function resolve(options: CheckDpopProofOptions): z.infer<typeof optionsSchema> {
  const { data, error } = optionsSchema.safeParse(options)
  if (data === undefined) {
    const issue = error.issues[0]
    throw new TokensError('bad_option', `checkDpopProof: "${issue?.path.join('.')}" ${issue?.message}`)
  }
  if (data.accessToken !== undefined && data.expectedThumbprint === undefined) {
    throw new TokensError(
      'bad_option',
      'checkDpopProof: an "accessToken" needs the "expectedThumbprint" it is bound to.',
    )
  }
  return data
}

const claimsSchema = z.object({
  jti: z.string().min(1).max(256),
  htm: z.string(),
  htu: z.string(),
  iat: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  ath: z.string().optional(),
  nonce: z.string().optional(),
})

function readClaims(claims: unknown): z.infer<typeof claimsSchema> {
  const parsed = claimsSchema.safeParse(claims)
  if (parsed.success) return parsed.data
  const name = parsed.error.issues[0]?.path.join('.')
  return rejectProof('proof_bad_claims', `claims.${name}`, `The claim "${name}" is missing or has the wrong form.`)
}

/**
 * Checks a proof of possession (RFC 9449 section 4.3): strict shape, EdDSA or ES256 by a public key of that kind, the
 * right one where it is known, the signature, then `htm`, `htu`, `iat`, nonce, `ath`, and at last that it was not used
 * before.
 *
 * @throws ProofRejected with the code of what failed; TokensError `bad_option`; what `usedProofs` throws
 */
export async function checkDpopProof(options: CheckDpopProofOptions): Promise<CheckedProof> {
  const expected = resolve(options)
  const { usedProofs, clock = systemClock } = options
  const { publicJwk, thumbprint, claims } = await openProof(options.proof, expected.expectedThumbprint)
  const { jti, htm, htu, iat, ath, nonce } = readClaims(claims)
  if (htm !== expected.method) rejectProof('proof_wrong_method', 'claims.htm', 'The proof is for another method.')
  const target = targetUrl(htu)
  if (target === undefined || target !== targetUrl(expected.url)) {
    rejectProof('proof_wrong_url', 'claims.htu', 'The proof is for another URL.')
  }
  const { maxAgeSeconds, clockToleranceSeconds } = expected
  const now = clock.now()
  const until = iat + maxAgeSeconds + clockToleranceSeconds
  // Not `>`: a clock that gives no number lets nobody in.
  if (!(now <= until)) rejectProof('proof_too_old', 'claims.iat', 'The proof is too old.')
  if (iat > now + clockToleranceSeconds) rejectProof('proof_too_new', 'claims.iat', 'The proof is from the future.')
  if (expected.nonce !== undefined && (nonce === undefined || ![expected.nonce].flat().includes(nonce))) {
    rejectProof('proof_wrong_nonce', 'claims.nonce', 'The proof does not have the nonce of this server.')
  }
  if (expected.accessToken !== undefined && ath !== (await sha256Text(expected.accessToken))) {
    rejectProof('proof_wrong_token', 'claims.ath', 'The proof is for another token, or for none.')
  }
  // The key is part of the id: nobody can use up the ids of somebody else.
  if (await usedProofs.seen(await sha256Text(`${thumbprint}.${jti}`), until)) {
    rejectProof('proof_replayed', 'claims.jti', 'The proof was used before.')
  }
  return { thumbprint, publicJwk, issuedAt: iat }
}
