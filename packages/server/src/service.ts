import type { ConsumerMatrix } from '@countersign/consumers'
import type { Issuer } from '@countersign/issuer'
import type { KeyRing } from '@countersign/keys'
import type { ResolvedConfig } from './resolve-config.ts'

/** The parts of a token service over its store, without a listening socket: what the command line works with. */
export interface TokenServiceParts {
  readonly config: ResolvedConfig
  readonly consumers: ConsumerMatrix
  readonly issuer: Issuer
  /** One ring for each algorithm that the matrix uses. */
  readonly rings: readonly KeyRing[]
  close(): Promise<void>
}

/** A token service that answers. */
export interface RunningTokenService extends TokenServiceParts {
  /** Where it listens, such as `http://127.0.0.1:4600`. */
  readonly url: string
  readonly metricsUrl: string | undefined
  /** Resolves when the service has stopped by itself because it could not go on (the store's disk failed). */
  readonly failed: Promise<Error>
}
