import { addressKey } from './address.ts'
import type { Context } from './context.ts'
import { sha256 } from './random.ts'
import { refusal } from './refusals.ts'

type Limit = 'account' | 'address' | 'client'

/** What an attempt is counted under. */
export interface AttemptKey {
  readonly key: string
  readonly limit: Limit
  /** Who that is, for the log. */
  readonly counted: string
}

/** Accounts count under a hash of the normalised identifier, known or not: the table holds nothing that somebody typed. */
export function accountKey(identifier: string): AttemptKey {
  const counted = sha256(identifier).slice(0, 22)
  return { key: `account:${counted}`, limit: 'account', counted }
}

export function clientKey(clientId: string): AttemptKey {
  return { key: `client:${clientId}`, limit: 'client', counted: clientId }
}

/** Sign-ins and client authentication are counted apart: a service with a stale secret must not lock its host's people out. */
export function originKey(what: 'sign-in' | 'client', address: string | undefined): AttemptKey | undefined {
  const normal = address === undefined ? undefined : addressKey(address)
  return normal === undefined ? undefined : { key: `${what}-from:${normal}`, limit: 'address', counted: normal }
}

/**
 * @returns the keys that have failures on record
 * @throws IssuerError `rate_limited` when any of them is blocked now
 */
export async function refuseBlocked(context: Context, keys: readonly AttemptKey[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set()
  const records = await context.stores.throttle.read(keys.map(({ key }) => key))
  const now = context.now()
  let blockedUntil = 0
  for (const { key, limit, counted } of keys) {
    const until = records.get(key)?.blockedUntil ?? 0
    if (until <= now) continue
    if (until > blockedUntil) blockedUntil = until
    context.emit({ type: 'rate_limited', limit, counted })
  }
  if (blockedUntil > now) throw refusal('too_many_failures', { retryAfterSeconds: blockedUntil - now })
  return new Set(records.keys())
}

export async function countFailure(context: Context, keys: readonly AttemptKey[]): Promise<void> {
  if (keys.length === 0) return
  await context.stores.throttle.fail(
    keys.map(({ key }) => key),
    context.limits.throttle,
    context.now(),
  )
}

/**
 * Runs one attempt at a time for an account and a minute's allowance at a time for an address, however many arrive together.
 * @throws IssuerError `rate_limited` when too many wait
 */
export async function inAttemptOrder<T>(
  context: Context,
  keys: readonly AttemptKey[],
  attempt: () => Promise<T>,
): Promise<T> {
  const held: (() => void)[] = []
  try {
    for (const { key, limit, counted } of keys) {
      const width = limit === 'account' ? 1 : context.limits.failuresPerMinute
      const done = await context.turns.take(key, width, longestLine)
      if (done === undefined) {
        context.emit({ type: 'rate_limited', limit, counted })
        throw refusal('too_many_failures', { retryAfterSeconds: 1 })
      }
      held.push(done)
    }
    return await attempt()
  } finally {
    for (const done of held) done()
  }
}

const longestLine = 64
