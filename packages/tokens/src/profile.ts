import type { Algorithm } from './key-source.ts'

/**
 * How an issuer's access tokens differ from RFC 9068. Plain data: each member is one named relaxation, and the strict
 * shape, the signature, `iss`, `sub` and `exp` hold under every profile.
 */
export interface Profile {
  readonly name: string
  /** The allow-list unless the verifier has its own. */
  readonly algorithms: readonly Algorithm[]
  /** Accepted `typ` of the header, lower case, without `application/`; an empty string accepts a header without one. */
  readonly types: readonly string[]
  /** Where the verifier's audience must stand: `aud` as one string, `aud` as a string or an array with it, or `azp`. */
  readonly audience: 'aud' | 'aud-or-list' | 'azp'
  /** The claims that may name the client, first one wins; none has to be there if the list ends in `''`. */
  readonly clientId: readonly ('client_id' | 'azp' | '')[]
  /** Claims that RFC 9068 wants and this issuer leaves out. */
  readonly optional: readonly ('jti' | 'iat' | 'scope')[]
  /** Claims with the exact value that an access token of this issuer has, such as Keycloak's `typ: 'Bearer'`. */
  readonly required: Readonly<Record<string, string>>
  /** Claims with a value that makes an otherwise good token worth nothing, such as Clerk's `sts: 'pending'`. */
  readonly refused?: Readonly<Record<string, string>>
  /** Claims that only other kinds of token have; any of them is `wrong_type`. */
  readonly forbidden: readonly string[]
  /** Where the organization stands, as a path. */
  readonly organization: readonly string[]
}

/** RFC 9068 as this project reads it: what `countersign` issues, and the default. */
export const rfc9068: Profile = Object.freeze<Profile>({
  name: 'rfc9068',
  algorithms: ['EdDSA', 'Ed25519'],
  types: ['at+jwt'],
  audience: 'aud',
  clientId: ['client_id'],
  optional: [],
  required: {},
  forbidden: [],
  organization: ['org_id'],
})
