import type { Auth, RequestMetadata } from 'convex/server'
import { isAuthError } from '../auth-error.ts'
import { parseClerkClaims } from '../claims.ts'
import type { Setting } from './options.ts'

/**
 * Whether the caller proved who they are within the last `seconds`. Convex drops `fva` from the identity, so it is read
 * from the token itself, which Convex has verified to derive the identity from: no second check of the signature is
 * needed, only that it is that token.
 */
export async function isRecent(
  auth: Auth,
  { authToken }: Pick<RequestMetadata, 'authToken'>,
  seconds: number,
  setting: Setting,
): Promise<boolean> {
  const identity = await auth.getUserIdentity()
  const payload = authToken === null ? undefined : readPayload(authToken)
  if (identity === null || payload === undefined) return false
  try {
    const { subject, issuer, factorAges } = parseClerkClaims(payload)
    if (subject !== identity.subject || issuer !== identity.issuer || factorAges === undefined) return false
    const { iat } = payload
    if (typeof iat !== 'number') return false
    // Ages are those of when the token was made.
    const sinceIssue = Math.max(0, setting.now() - iat)
    const [first, second] = factorAges.map((minutes) => minutes >= 0 && minutes * 60 + sinceIssue < seconds)
    const hasSecond = factorAges[1] >= 0
    if (setting.stepUpFactor === 'both') return first === true && second === true
    return (setting.stepUpFactor === 'second' && hasSecond ? second : first) === true
  } catch (error) {
    if (isAuthError(error)) return false
    throw error
  }
}

function readPayload(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = token.split('.')[1] ?? ''
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))
    const payload: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof payload === 'object' && payload !== null ? { ...payload } : undefined
  } catch {
    // Not a JWT: nothing recent is shown by it.
    return undefined
  }
}
