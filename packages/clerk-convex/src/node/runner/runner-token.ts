import type { Clock } from '@countersign/tokens'
import type { DpopKey } from '@countersign/tokens/dpop'
import { signJws } from '@countersign/tokens/jws'
import * as z from 'zod'
import { assertionType } from '../../runner/assertion-type.ts'
import { type Fetch, post } from './endpoint.ts'
import { isRunnerError, RunnerError } from './runner-error.ts'

/** After this part of its life a token is renewed. */
const renewAfter = 0.75

/** A token with less than this left is not sent: it would end on the way. */
const leastLeftMs = 5_000

/** Between two tries of a renewal that found no endpoint: twice as long after each, up to the most. */
const retryAfterMs = { first: 5_000, most: 60_000 } as const

const answerSchema = z.object({
  access_token: z.string().min(1).max(8_192),
  token_type: z.string().refine((type) => type.toLowerCase() === 'dpop'),
  expires_in: z.number().positive().max(900),
})

export interface RunnerTokenOptions {
  readonly url: string
  readonly key: () => Promise<DpopKey>
  readonly scopes: readonly string[] | undefined
  /** The session of a person who is there; without one the runner's own key vouches for it. */
  readonly getSession: (() => Promise<string>) | undefined
  readonly clock: Clock
  readonly fetch: Fetch
  readonly onEvent: (event: RunnerEvent) => void
}

/** What a runner reports; never a token. */
export type RunnerEvent =
  | { readonly type: 'token_renewed'; readonly lifeSeconds: number }
  /** The endpoint is out of reach; the token goes on for as long as it lives. */
  | { readonly type: 'renewal_failed'; readonly leftSeconds: number }
  | { readonly type: 'token_refused'; readonly reason: string }

export interface RunnerToken {
  /** A token that lives. @throws RunnerError `token_refused`, `issuer_unavailable` */
  get(): Promise<string>
  /** Not to be given out again. */
  drop(token: string): void
}

async function assertionOf(key: DpopKey, audience: string, clock: Clock): Promise<string> {
  const { thumbprint, algorithm } = key
  const iat = Math.floor(clock.now())
  const claims = { iss: thumbprint, sub: thumbprint, aud: audience, iat, exp: iat + 60, jti: crypto.randomUUID() }
  return await signJws(assertionType, claims, { kid: thumbprint, algorithm, sign: (data) => key.sign(data) })
}

/** Keeps one token in memory, renews it before it ends, once for all who wait. */
export function runnerToken(options: RunnerTokenOptions): RunnerToken {
  const { url, scopes, getSession, clock, fetch, onEvent } = options
  const tokenUrl = `${url}/token`
  let held: { readonly token: string; readonly renewAtMs: number; readonly endsAtMs: number } | undefined
  let renewing: Promise<string> | undefined
  let retryAtMs = Number.NEGATIVE_INFINITY
  let waitMs: number = retryAfterMs.first

  async function grantOf(key: DpopKey): Promise<Record<string, string>> {
    if (getSession === undefined) {
      const assertion = await assertionOf(key, tokenUrl, clock)
      return { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
    }
    return {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await getSession(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    }
  }

  async function renew(): Promise<string> {
    const key = await options.key()
    const form = { ...(await grantOf(key)), ...(scopes === undefined ? {} : { scope: scopes.join(' ') }) }
    const askedAtMs = clock.monotonicMs()
    const outcome = await post(tokenUrl, form, { key, clock, fetch })
    if (!outcome.ok) {
      held = undefined
      onEvent({ type: 'token_refused', reason: outcome.error })
      throw new RunnerError('token_refused', undefined, { reason: outcome.error })
    }
    const { data } = answerSchema.safeParse(outcome.body)
    if (data === undefined) throw new RunnerError('issuer_unavailable', 'The runner endpoint answered in another form.')
    const lifeMs = data.expires_in * 1000
    waitMs = retryAfterMs.first
    held = { token: data.access_token, renewAtMs: askedAtMs + lifeMs * renewAfter, endsAtMs: askedAtMs + lifeMs }
    onEvent({ type: 'token_renewed', lifeSeconds: data.expires_in })
    return data.access_token
  }

  function renewOnce(): Promise<string> {
    renewing ??= renew().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  return {
    get: async () => {
      const before = held
      const nowMs = clock.monotonicMs()
      const lives = before !== undefined && before.endsAtMs - nowMs > leastLeftMs
      if (lives && (nowMs < before.renewAtMs || nowMs < retryAtMs)) return before.token
      try {
        return await renewOnce()
      } catch (error) {
        if (!isRunnerError(error) || error.code !== 'issuer_unavailable') throw error
        const leftMs = before === undefined ? 0 : before.endsAtMs - clock.monotonicMs()
        retryAtMs = clock.monotonicMs() + waitMs
        waitMs = Math.min(waitMs * 2, retryAfterMs.most)
        onEvent({ type: 'renewal_failed', leftSeconds: Math.max(0, Math.floor(leftMs / 1000)) })
        if (before === undefined || held !== before || leftMs <= leastLeftMs) throw error
        return before.token
      }
    },
    drop: (token) => {
      if (held?.token === token) held = undefined
    },
  }
}
