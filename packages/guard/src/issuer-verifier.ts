import { type Clock, createVerifier, type Verifier, type VerifierOptions } from '@countersign/tokens'
import { type RemoteJwksOptions, remoteJwks } from '@countersign/tokens/jwks'
import type { ConsumerLike } from './create-guard.ts'
import { discoveredKeys } from './discovered-keys.ts'
import type { Revocations } from './revocations.ts'

/** How the usual verifier of an issuer is built. */
export interface IssuerVerifierOptions {
  /** Where the issuer's keys are. @default the `jwks_uri` of the issuer's metadata */
  readonly jwksUrl?: string
  /** Limits of the reading of keys and metadata. */
  readonly jwks?: Omit<RemoteJwksOptions, 'clock'>
  /** Everything else about verification: `profile`, `clockToleranceSeconds`, `cache`, … */
  readonly verify?: Omit<VerifierOptions, 'issuer' | 'audience' | 'keys' | 'clock'>
}

export interface IssuerVerifier {
  readonly verifier: Verifier
  close(): Promise<void>
}

/** The verifier of an issuer and an audience, over the keys that the issuer publishes. */
export function createIssuerVerifier(
  issuer: string,
  audience: string,
  consumer: ConsumerLike | undefined,
  options: IssuerVerifierOptions,
  clock: Clock,
  revocations: Revocations | undefined,
): IssuerVerifier {
  const jwks = { ...options.jwks, clock }
  const own =
    options.jwksUrl === undefined
      ? discoveredKeys(issuer, jwks, (url) => remoteJwks(url, jwks))
      : remoteJwks(options.jwksUrl, jwks)
  const keys = revocations?.useKeys?.(own) ?? own
  const verifier = createVerifier({ ...expectations(consumer, options.verify), issuer, audience, keys, clock })
  return { verifier, close: async () => own.close() }
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
