import type { Clock } from '@countersign/tokens'

/**
 * Asks the issuer whether a token is active (RFC 7662 section 2.2), for routes that say `introspect`.
 * A rejection, and no answer within 3 s, means that nobody knows.
 */
export type Introspect = (token: string, signal: AbortSignal) => Promise<boolean>

const timeoutMs = 3_000

/** @throws whatever the function throws, or an error once its time is over */
export async function introspectInTime(introspect: Introspect, token: string, clock: Clock): Promise<boolean> {
  const abort = new AbortController()
  let cancel: () => void = () => {}
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(timeoutMs, () => {
      abort.abort()
      reject(new Error('The introspection took longer than 3 s.'))
    })
  })
  try {
    return (await Promise.race([introspect(token, abort.signal), late])) === true
  } finally {
    cancel()
  }
}
