/** What this package can be misused for, what it could not read, and what it refuses. New codes may come in a minor release. */
export const revocationErrorCodes = [
  'bad_option',
  'bad_entry',
  'bad_message',
  'bad_signature',
  'wrong_issuer',
  'too_large',
  'gap',
  'replayed',
  'drifted',
  'clock_skew',
  'feed_unreachable',
  'feed_refused',
  'acknowledgement_failed',
] as const

export type RevocationErrorCode = (typeof revocationErrorCodes)[number]

/** What the operator should do about each code. */
export const revocationRemedies: Readonly<Record<RevocationErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  bad_entry:
    'Revoke by an identifier of 1 to 512 characters without control characters, and by whole numbers below 2^32.',
  bad_message: 'Check that nothing between issuer and consumer rewrites the feed, and that both run one major version.',
  bad_signature:
    "Check that the feed's keys are read from the issuer's own /revocations/jwks.json, and that nothing rewrites the feed.",
  wrong_issuer: "Compare the follower's `issuer` with the issuer's own URL: they must be equal byte for byte.",
  too_large: 'Raise the limit that the message names if the feed is really that large; otherwise check what answers.',
  gap: 'Nothing to do: the follower reads what it missed, or the snapshot.',
  replayed: 'If it repeats, look for a cache or proxy that serves old answers of the feed: they must live 1 s at most.',
  drifted:
    "Nothing to do for one: the snapshot repairs it. If it repeats, compare the issuer's processes and versions.",
  clock_skew:
    "Synchronise the clocks of this machine and of the issuer's store (NTP): they differ by more than a minute.",
  feed_unreachable: "Check the feed's URL, the network and the issuer's health; consumers go on by what they hold.",
  feed_refused: "Check the feed's URL: the issuer answers, but has no feed there for us.",
  acknowledgement_failed: "Check the consumer's client and its token: an acknowledgement needs one of that consumer.",
}

/** Thrown for misuse; handed to `onEvent` for everything that can go wrong while following. */
export class RevocationError extends Error {
  override readonly name = 'RevocationError'
  readonly code: RevocationErrorCode
  constructor(code: RevocationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return revocationRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(revocationErrorCodes)

/** True for a {@link RevocationError} of any installed copy of this package. */
export function isRevocationError(error: unknown): error is RevocationError {
  return error instanceof Error && error.name === 'RevocationError' && 'code' in error && codes.has(error.code)
}
