/** What this tab holds of a sign-in. */
export interface Session {
  readonly token: string
  readonly scopes: readonly string[]
  /** Unix seconds. */
  readonly expiresAt: number
}

/** Why nobody could be signed in, in words for whoever tried. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
}

/**
 * The tab's session storage: it survives a reload, and ends with the tab. Not local storage, where a token of 7 days
 * would rest on the disk for every tab and every visitor of this browser; not a cookie, which other sites' requests
 * would carry along.
 */
const key = 'cmux-session'

export function keptSession(): Session | undefined {
  const text = sessionStorage.getItem(key)
  if (text === null) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (isSession(value) && value.expiresAt * 1000 > Date.now()) return value
  } catch {
    // Whatever it was, it is no session.
  }
  forgetSession()
  return undefined
}

export function forgetSession(): void {
  sessionStorage.removeItem(key)
}

/** @throws SignInError */
export async function signIn(password: string, scope: string): Promise<Session> {
  const response = await send('/auth/sign-in', { 'Content-Type': 'application/json' }, { password, scope })
  if (response.status === 429) {
    const seconds = Number(response.headers.get('retry-after') ?? '60')
    throw new SignInError(`Too many wrong passwords. Try again in ${wait(seconds)}.`)
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (!response.ok) {
    const isWrong = isRecord(answer) && answer.error === 'invalid_grant'
    throw new SignInError(isWrong ? 'That is not the password.' : 'cmux cannot sign anybody in now. Try again.')
  }
  if (!isRecord(answer) || typeof answer.access_token !== 'string' || typeof answer.expires_in !== 'number') {
    throw new SignInError('cmux answered something that this page does not understand.')
  }
  const session: Session = {
    token: answer.access_token,
    scopes: String(answer.scope).split(' '),
    expiresAt: Math.floor(Date.now() / 1000) + answer.expires_in,
  }
  sessionStorage.setItem(key, JSON.stringify(session))
  return session
}

/** Ends the session everywhere; where cmux cannot be reached, at least here. */
export async function signOut(session: Session): Promise<void> {
  forgetSession()
  await send('/auth/sign-out', { Authorization: `Bearer ${session.token}` }, {}).catch(() => undefined)
}

async function send(path: string, headers: Record<string, string>, body: object): Promise<Response> {
  try {
    return await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    })
  } catch (cause) {
    throw new SignInError('cmux cannot be reached.', { cause })
  }
}

function wait(seconds: number): string {
  return seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`
}

function isSession(value: unknown): value is Session {
  return (
    isRecord(value) &&
    typeof value.token === 'string' &&
    typeof value.expiresAt === 'number' &&
    Array.isArray(value.scopes) &&
    value.scopes.every((scope) => typeof scope === 'string')
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
