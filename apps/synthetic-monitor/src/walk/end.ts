import type { PrincipalEnd } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { bearer, expectStatus, hostOf, memberOf } from '../ask.ts'
import { ProbeFailure } from '../failure.ts'
import { pause } from '../within.ts'
import { look } from './call.ts'
import type { World } from './world.ts'

/** Ends the person's session, as a sign-out does. */
export async function signOut({ ask, issuer }: World, token: string, signal: AbortSignal): Promise<void> {
  expectStatus(
    await ask(`${issuer}/auth/sign-out`, { authorization: bearer(token), json: {}, signal }),
    200,
    'the token service',
  )
}

/** The token service itself knows at once. */
export async function expectSignedOut({ ask, issuer }: World, token: string, signal: AbortSignal): Promise<void> {
  const answer = await ask(`${issuer}/auth/status`, { authorization: bearer(token), signal })
  expectStatus(answer, 200, 'the token service')
  if (memberOf(answer.body, 'state') === 'signed-out') return
  throw new ProbeFailure('accepted', 'the token service says signed-in after it signed out')
}

export interface Watched {
  /** When the feed told of its end, in milliseconds of the monotonic clock. @throws ProbeFailure */
  readonly ended: Promise<number>
  stop(): void
}

/** Hears of a principal's end from the signed feed, as every consumer does. Begins before the revocation. */
export function watchFeed({ control, clock }: World, principal: Principal): Watched {
  const told = Promise.withResolvers<number>()
  // Whoever gives up before asks no more.
  told.promise.catch(() => undefined)
  const stop = control.watch(principal, ({ reason }: PrincipalEnd) => {
    if (reason === 'revoked') told.resolve(clock.monotonicMs())
    else told.reject(new ProbeFailure('unavailable', `the feed has not told of the revocation: the token is ${reason}`))
  })
  return { ended: told.promise, stop }
}

export interface Refusal {
  /** When it refused, in milliseconds of the monotonic clock. @throws ProbeFailure */
  readonly refused: Promise<number>
  /** What it has done so far instead. */
  readonly soFar: () => ProbeFailure
}

const betweenMs = 25

/** Asks one instance again and again until it refuses the token. */
export function untilRefused(world: World, url: string, token: string, what: string, signal: AbortSignal): Refusal {
  const who = `agent-api at ${hostOf(url)}`
  let last = new ProbeFailure('timeout', `${who} has not answered since ${what} was revoked`)
  const asking = async (): Promise<number> => {
    for (;;) {
      try {
        const { status } = await look(world, url, token, signal)
        if (status === 401) return world.clock.monotonicMs()
        if (status === 200) last = new ProbeFailure('accepted', `${who} still accepts ${what}, which is revoked`)
        else if (status >= 500) last = new ProbeFailure('unavailable', `${who} answered ${status} to ${what}`)
        else throw new ProbeFailure('wrong_answer', `${who} answered ${status} to ${what}, which is revoked`)
      } catch (error) {
        if (!(error instanceof ProbeFailure) || error.reason !== 'unreachable') throw error
        last = error
      }
      await pause(world.clock, betweenMs, signal)
      if (signal.aborted) throw last
    }
  }
  const refused = asking()
  refused.catch(() => undefined)
  return { refused, soFar: () => last }
}
