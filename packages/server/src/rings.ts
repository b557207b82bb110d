import type { ConsumerMatrix } from '@countersign/consumers'

/** The feed's own ring, in the same store under a name of its own; its keys are never in the JWKS of tokens. */
export const feedRingName = 'feed'

/** Heads are read once, at once; a key's successor is known long before it signs. */
export const feedLifeSeconds = 60

export interface RingPlan {
  readonly name: string
  readonly algorithm: 'EdDSA' | 'ES256'
  /** The longest access-token life among its audiences. */
  readonly accessTokenLifeSeconds: number
}

const ringNames = { EdDSA: 'tokens', ES256: 'tokens-es256' } as const
const fallbackLifeSeconds = 600

/** One ring for each algorithm that the matrix uses; an empty matrix has the usual one. */
export function planRings(matrix: ConsumerMatrix): readonly RingPlan[] {
  const consumers = Object.values(matrix.consumers)
  const algorithms = new Set(consumers.map((consumer) => consumer.algorithm))
  if (algorithms.size === 0) algorithms.add('EdDSA')
  return [...algorithms].sort().map((algorithm) => {
    const lives = consumers
      .filter((consumer) => consumer.algorithm === algorithm)
      .map((consumer) => consumer.accessTokenLifeSeconds)
    return {
      name: ringNames[algorithm],
      algorithm,
      accessTokenLifeSeconds: lives.length === 0 ? fallbackLifeSeconds : Math.max(...lives),
    }
  })
}
