import { createVerifier, type Verifier, type VerifierOptions } from '@countersign/tokens'
import type { RemoteJwksOptions } from '@countersign/tokens/jwks'
import type { ConsumerLike } from './create-guard.ts'
import { type IssuerFeedOptions, type IssuerLink, type IssuerLinkOptions, linkIssuer } from './issuer-link.ts'

/** How the usual verifier of an issuer is built. */
export interface IssuerVerifierOptions {
  /**
   * Where the issuer's keys are. The metadata is then not read, so that a feed is only followed if `feed.url` names it.
   * @default the `jwks_uri` of the issuer's metadata
   */
  readonly jwksUrl?: string
  /** Limits of the reading of keys and metadata, and of the feed's keys. */
  readonly jwks?: Omit<RemoteJwksOptions, 'clock'>
  /** How the issuer's revocation feed is followed, where `revocations` says nothing else. */
  readonly feed?: IssuerFeedOptions
  /** Everything else about verification: `profile`, `clockToleranceSeconds`, `cache`, … */
  readonly verify?: Omit<VerifierOptions, 'issuer' | 'audience' | 'keys' | 'clock'>
}

export interface IssuerVerifier extends Omit<IssuerLink, 'keys'> {
  readonly verifier: Verifier
}

/** The verifier of an issuer and an audience, over the keys that the issuer publishes and its news of revocations. */
export function createIssuerVerifier(
  issuer: string,
  audience: string,
  consumer: ConsumerLike | undefined,
  options: IssuerVerifierOptions,
  surroundings: Pick<IssuerLinkOptions, 'clock' | 'onEvent' | 'revocations'>,
): IssuerVerifier {
  const { jwksUrl, jwks = {}, feed = {} } = options
  const { keys, ...link } = linkIssuer(issuer, audience, { jwksUrl, jwks, feed, ...surroundings })
  const { clock } = surroundings
  const verifier = createVerifier({ ...expectations(consumer, options.verify), issuer, audience, keys, clock })
  return { verifier, ...link }
}

/** What the consumer's entry says of tokens made by `countersign`; a foreign issuer's profile has its own word. */
function expectations(
  consumer: ConsumerLike | undefined,
  verify: IssuerVerifierOptions['verify'] = {},
): NonNullable<IssuerVerifierOptions['verify']> {
  if (consumer === undefined || verify.profile !== undefined) return verify
  const { accessTokenLifeSeconds, algorithm } = consumer
  return {
    ...(accessTokenLifeSeconds === undefined ? {} : { maxLifeSeconds: accessTokenLifeSeconds }),
    ...(algorithm === undefined
      ? {}
      : { algorithms: algorithm === 'EdDSA' ? (['EdDSA', 'Ed25519'] as const) : (['ES256'] as const) }),
    ...verify,
  }
}
