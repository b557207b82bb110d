import { type Issuer, isIssuerError, type SessionInfo } from '@countersign/issuer'
import type { KeyRing, KeyRingStatus } from '@countersign/keys'
import { Problem } from '@countersign-apps/kit'

/** What the console does with the token service's store. */
export type OperatorsIssuer = Pick<
  Issuer,
  'issuer' | 'sessions' | 'acknowledgements' | 'revocationPosition' | 'signIn' | 'refresh' | 'signOut' | 'exchange'
>

export type ShownRing = Pick<KeyRing, 'name' | 'algorithm' | 'policy' | 'status' | 'refresh'>

/** A session id, as the issuer makes them; also what somebody may paste who has the `sid` of a stolen token. */
export const sessionId = /^[\w-]{8,64}$/

const mostListed = 100

/** The newest 100 sessions of a user, or the one of that id. @throws Problem `not_found`, `unavailable` */
export async function findSessions({ sessions }: OperatorsIssuer, wanted: string): Promise<readonly SessionInfo[]> {
  try {
    return await sessions.list(wanted, { limit: mostListed })
  } catch (error) {
    if (!isIssuerError(error) || error.code !== 'unknown_user') throw toProblem(error)
  }
  const one = sessionId.test(wanted) ? await sessions.byId(wanted).catch(rethrow) : undefined
  if (one === undefined) throw new Problem('not_found', 'There is no user by that name, and no session by that id.')
  return [one]
}

/** The rings as they are in the store now; as they were seen last, where it cannot be reached. */
export async function readKeys(rings: readonly ShownRing[]): Promise<readonly KeyRingStatus[]> {
  await Promise.all(rings.map((ring) => ring.refresh().catch(() => undefined)))
  return rings.map((ring) => ring.status())
}

/** What the issuer refused, as an answer; a fault stays one. */
export function toProblem(error: unknown): unknown {
  if (!isIssuerError(error)) return error
  const cause = { cause: error }
  switch (error.code) {
    case 'unknown_user':
      return new Problem('not_found', 'There is no such user.', cause)
    case 'temporarily_unavailable':
    case 'rate_limited':
      return new Problem('unavailable', 'The token service’s store cannot be used now: try again.', cause)
    case 'invalid_option':
      return new Problem('invalid_request', error.message, cause)
    default:
      return error
  }
}

export function rethrow(error: unknown): never {
  throw toProblem(error)
}
