/** Who acts for the subject (RFC 8693 section 4.1); the outermost is the current actor. */
export interface Actor {
  readonly subject: string
  readonly clientId?: string
  readonly actor?: Actor
}

/** Whom a verified token speaks for. Frozen; made by a {@link Verifier} only. */
export interface Principal {
  readonly issuer: string
  /** `sub`; with {@link issuer} it is the identity. */
  readonly subject: string
  /** `client_id`: the service account or app that obtained the token; absent only under a foreign profile. */
  readonly clientId?: string
  /** The one audience that this verifier answers to. */
  readonly audience: string
  readonly scopes: ReadonlySet<string>
  /** `sid`: the sign-in and all that came of it. */
  readonly session?: string
  /** `org_id`. */
  readonly organization?: string
  readonly actor?: Actor
  /** `jti`; absent only under a foreign profile. */
  readonly tokenId?: string
  /** `anc`: the `jti`s of the tokens that this one was exchanged from, at most 4. */
  readonly ancestors: readonly string[]
  /** `via`: clients, users, sessions and tokens that an exchanged token also rests on. */
  readonly via?: readonly string[]
  /** `gen`: `[global, client, subject, …one per act, …one per via]`; empty when the issuer does not say. */
  readonly generations: readonly number[]
  /** The signing key's id. */
  readonly keyId: string
  /** `cnf.jkt` (RFC 9449): the thumbprint of the key that a proof must be made with. */
  readonly confirmationKey?: string
  /** A monitor's, of our own issuer: not for scopes with side effects. */
  readonly synthetic?: true
  /** Unix seconds; absent only under a foreign profile. */
  readonly issuedAt?: number
  /** Unix seconds. */
  readonly expiresAt: number
  /** Every claim as it came, deeply frozen. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Turns a token into a principal. Ours, Clerk's and a cut-over are all one of these. */
export interface Verifier {
  /**
   * @throws TokenRejected with a code when the token is not accepted; `keys_unavailable` when that cannot be decided.
   * Anything else thrown is a fault, never a refusal.
   */
  verify(token: string): Promise<Principal>
  /**
   * Answers at once for a token that was accepted before, after every check that time, keys and revocations call for;
   * `undefined` says that `verify` has to be asked. Whoever wraps a verifier wraps this too, or leaves it out.
   *
   * @throws TokenRejected for a token that was accepted before and is not now
   */
  recall?(token: string): Principal | undefined
}
