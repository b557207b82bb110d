import type { ClerkSessionState } from './source.ts'

/** A session with the organisation that it has chosen: what a token is asked for. Another one is another object. */
export interface Who {
  readonly session: string
  readonly subject: string | undefined
  /** `null` for none, `undefined` where the source does not say. */
  readonly org: string | null | undefined
  readonly role: string | null | undefined
  /** Convex has taken a token of it once. */
  isEstablished: boolean
  /** No token lives, or Convex took none, after a try that failed; until Convex takes one. */
  isLost: boolean
}

/** Nobody, when no session is named. */
export function whoIn({ sessionId, userId, orgId, orgRole }: ClerkSessionState): Who | 'nobody' {
  if (typeof sessionId !== 'string' || sessionId === '') return 'nobody'
  const subject = userId ?? undefined
  return { session: sessionId, subject, org: orgId, role: orgRole, isEstablished: false, isLost: false }
}

export function isSamePerson(one: Who, other: Who): boolean {
  const isSubjectSame = one.subject === undefined || other.subject === undefined || one.subject === other.subject
  return one.session === other.session && isSubjectSame
}
