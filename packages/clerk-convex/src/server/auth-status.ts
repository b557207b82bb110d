import { isRejection, type Principal, type Verifier } from '@countersign/tokens'
import { isAuthError } from '../auth-error.ts'

/** What `/auth/status` answers. */
export interface AuthStatus {
  /**
   * `degraded`: signed in, while Clerk cannot be reached and keys of an earlier reading are in use.
   * `unavailable`: nobody can say whether this is signed in; it is not a reason to sign out.
   */
  readonly state: 'signed-in' | 'signed-out' | 'degraded' | 'unavailable'
  readonly provider?: 'clerk' | 'legacy'
  readonly subject?: string
  readonly org?: string
  readonly role?: string
  /** Unix seconds. */
  readonly expires_at?: number
  /** Of the cut-over from another issuer. */
  readonly phase: string
}

export interface AuthStatusOptions {
  readonly verifier: Verifier & { readonly degraded?: boolean }
  /** `webhookRevocations()`, as for `createGuard`: who is revoked is signed out here too. @default nobody is */
  readonly revocations?: { isRevoked(principal: Principal): boolean }
  /** From your own table; the claim is not asked. @default none */
  readonly role?: (principal: Principal) => Promise<string | undefined> | string | undefined
  /** Which provider a principal is of. @default 'clerk' for everybody */
  readonly provider?: (principal: Principal) => 'clerk' | 'legacy'
  /** @default 'sealed': Clerk alone */
  readonly phase?: () => string
}

/**
 * Makes the handler of `/auth/status`: never a 401, since a page asks it to learn whether anybody is signed in.
 *
 * @example
 * const status = authStatus({ verifier })
 * const { state } = await status(request)
 */
export function authStatus(options: AuthStatusOptions): (request: Request) => Promise<AuthStatus> {
  const { verifier, revocations, role, provider = () => 'clerk', phase = () => 'sealed' } = options
  return async (request) => {
    const token = readBearer(request)
    if (token === undefined) return { state: 'signed-out', phase: phase() }
    let principal: Principal
    try {
      principal = verifier.recall?.(token) ?? (await verifier.verify(token))
    } catch (error) {
      const undecided = isRejection(error) ? error.code === 'keys_unavailable' : isAuthError(error)
      if (!isRejection(error) && !undecided) throw error
      return { state: undecided ? 'unavailable' : 'signed-out', phase: phase() }
    }
    if (revocations?.isRevoked(principal) === true) return { state: 'signed-out', phase: phase() }
    const { organization: org } = principal
    const held = await role?.(principal)
    return {
      state: verifier.degraded === true ? 'degraded' : 'signed-in',
      provider: provider(principal),
      subject: principal.subject,
      ...(org === undefined ? {} : { org }),
      ...(held === undefined ? {} : { role: held }),
      expires_at: principal.expiresAt,
      phase: phase(),
    }
  }
}

/** Exactly one token, in the Authorization header (RFC 6750 section 2.1). */
function readBearer({ headers }: Request): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(headers.get('authorization')?.trim() ?? '')?.[1]
}
