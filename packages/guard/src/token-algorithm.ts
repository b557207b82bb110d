const known = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'HS256',
  'HS384',
  'HS512',
  'none',
] as const

/** A closed list, since it becomes a metric's label and the header is the caller's. */
export type TokenAlgorithm = (typeof known)[number] | 'other'

const algorithms: ReadonlySet<unknown> = new Set(known)
const longestHeader = 1024
const mostHeaders = 64

/**
 * Reads `alg` from a token's header, for reports only: nothing is decided by it.
 * Tokens of one key share their header segment, so a few segments are remembered.
 */
export function createAlgorithmReader(): (token: string) => TokenAlgorithm | undefined {
  const seen = new Map<string, TokenAlgorithm | undefined>()
  return (token) => {
    const end = token.indexOf('.')
    if (end < 1 || end > longestHeader) return undefined
    const segment = token.slice(0, end)
    if (seen.has(segment)) return seen.get(segment)
    const algorithm = readSegment(segment)
    if (seen.size >= mostHeaders) seen.clear()
    seen.set(segment, algorithm)
    return algorithm
  }
}

function readSegment(segment: string): TokenAlgorithm | undefined {
  try {
    const header: unknown = JSON.parse(atob(segment.replaceAll('-', '+').replaceAll('_', '/')))
    if (typeof header !== 'object' || header === null || !('alg' in header)) return undefined
    return isKnown(header.alg) ? header.alg : 'other'
  } catch {
    // Not a header at all: the verifier has said `malformed`, which the report carries.
    return undefined
  }
}

function isKnown(alg: unknown): alg is TokenAlgorithm {
  return algorithms.has(alg)
}
