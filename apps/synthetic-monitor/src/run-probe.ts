import type { Clock } from '@countersign/tokens'
import { type Phase, ProbeFailure, ProbeStopped } from './failure.ts'
import type { Leftovers } from './leftovers.ts'
import type { PhaseResult, ProbeResult, Surface, Trigger } from './result.ts'
import { callAll, refuseSideEffects } from './walk/call.ts'
import { expectSignedOut, signOut, untilRefused, watchFeed } from './walk/end.ts'
import { exchange, ownToken, revokeOwn } from './walk/exchange.ts'
import { signIn, verifyToken } from './walk/sign-in.ts'
import { openSocket } from './walk/socket.ts'
import type { World } from './walk/world.ts'
import { within } from './within.ts'

export interface Run {
  readonly id: string
  readonly trigger: Trigger
  /** Ends the probe before its time. */
  readonly signal: AbortSignal
  readonly onPhase?: (result: PhaseResult) => void
  /** Told of what was thrown by mistake; the result says only that. */
  readonly onFault?: (error: unknown) => void
}

export interface ProbeLimits {
  /** For each phase. */
  readonly phaseMs: number
  /** From the answer to a revocation until everybody must refuse. */
  readonly revocationMs: number
}

type Work<T> = (signal: AbortSignal) => Promise<T>
interface PhaseLimits {
  readonly ms?: number
  readonly late?: () => Error
}

/**
 * Walks through the fleet once. The first phase that fails ends the walk; whatever happens, the sessions are ended.
 *
 * @throws ProbeStopped when the signal aborts; everything else that goes wrong is in the result
 */
export async function runProbe(
  world: World,
  run: Run,
  limits: ProbeLimits,
  leftovers: Leftovers,
): Promise<ProbeResult> {
  const { clock } = world
  const startedAt = clock.now()
  const beganMs = clock.monotonicMs()
  const walk = new Walk(world, run, limits, leftovers)
  let thrown: unknown
  let failed = false
  try {
    await walk.walk()
  } catch (error) {
    thrown = error
    failed = true
  }
  walk.close()
  const durationMs = clock.monotonicMs() - beganMs
  const cleanedUp = await leftovers.end()
  if (thrown instanceof ProbeStopped) throw thrown
  const { phase, phases, revocationMs } = walk
  const { id, trigger, onFault } = run
  const result = { id, trigger, startedAt, durationMs, ok: !failed, phases, revocationMs, cleanedUp }
  if (!failed) return result
  if (thrown instanceof ProbeFailure) {
    return { ...result, failure: { phase, reason: thrown.reason, message: thrown.message } }
  }
  onFault?.(thrown)
  // Nobody knows what its message holds.
  const message = `${thrown instanceof Error ? thrown.name : 'something'} was thrown`
  return { ...result, failure: { phase, reason: 'fault', message } }
}

class Walk {
  readonly phases: PhaseResult[] = []
  readonly revocationMs: Partial<Record<Surface, number>> = {}
  phase: Phase = 'sign_in'
  readonly #world: World
  readonly #run: Run
  readonly #limits: ProbeLimits
  readonly #leftovers: Leftovers
  readonly #closing: AbortController = new AbortController()
  readonly #closes: (() => void)[] = []

  constructor(world: World, run: Run, limits: ProbeLimits, leftovers: Leftovers) {
    this.#world = world
    this.#run = run
    this.#limits = limits
    this.#leftovers = leftovers
  }

  async walk(): Promise<void> {
    const world = this.#world
    const { clock } = world
    const [firstApi] = world.agentApis

    const token = await this.#enter('sign_in', async (signal) => {
      const signedIn = await signIn(world, signal)
      return { value: signedIn, end: this.#leftovers.add((ending) => signOut(world, signedIn, ending)) }
    })
    const principal = await this.#enter('verify', () => verifyToken(world, token.value))
    await this.#enter('call', (signal) => callAll(world, token.value, signal))
    const socket = await this.#enter('websocket', () => {
      const opening = openSocket(firstApi, token.value, clock)
      this.#closes.push(() => opening.close())
      return opening.ready
    })
    const own = await this.#enter('exchange', async (signal) => {
      const value = await ownToken(world, signal)
      const end = this.#leftovers.add((ending) => revokeOwn(world, value, ending))
      const exchanged = await exchange(world, value, signal)
      await callAll(world, exchanged.token, signal)
      return { end, exchanged }
    })
    await this.#enter('side_effect', async (signal) => {
      await refuseSideEffects(world, token.value, signal)
      await socket.refuseSideEffects(world.timeoutMs)
    })
    const told = [principal, own.exchanged.principal].map((each) => watchFeed(world, each))
    this.#closes.push(...told.map(({ stop }) => stop))

    const since = await this.#enter('revoke', async (signal) => {
      await token.end(signal)
      const signedOutMs = clock.monotonicMs()
      await own.end(signal)
      const revokedMs = clock.monotonicMs()
      await expectSignedOut(world, token.value, signal)
      return { signedOutMs, revokedMs }
    })
    await this.#everybodyRefuses(since, {
      told: told.map(({ ended }) => ended),
      tokens: [token.value, own.exchanged.token],
      closed: socket.closed,
    })
  }

  /** All of it at once, and looked at one after the other, since a late feed makes everybody late. */
  async #everybodyRefuses(
    { signedOutMs, revokedMs }: { readonly signedOutMs: number; readonly revokedMs: number },
    ends: { readonly told: Promise<number>[]; readonly tokens: string[]; readonly closed: Promise<number> },
  ): Promise<void> {
    const world = this.#world
    const { clock, agentApis } = world
    const { revocationMs: bound } = this.#limits
    const { signal } = this.#closing
    const [token = '', exchanged = ''] = ends.tokens
    const http = agentApis.map((url) => untilRefused(world, url, token, 'the token of a session', signal))
    const descendants = agentApis.map((url) => untilRefused(world, url, exchanged, 'an exchanged token', signal))
    const closedAt = ends.closed.then((code) => ({ code, ms: clock.monotonicMs() }))
    const left = (): number => Math.max(0, revokedMs + bound - clock.monotonicMs())
    const took = (surface: Surface, at: readonly number[], sinceMs: number): void => {
      this.revocationMs[surface] = Math.max(0, ...at.map((ms) => ms - sinceMs))
    }

    const notTold = (): Error => new ProbeFailure('late', `the revocation feed did not tell of it within ${bound} ms`)
    await this.#enter('feed', async () => took('feed', await Promise.all(ends.told), signedOutMs), {
      ms: left(),
      late: notTold,
    })

    let pending = [...http, ...descendants]
    for (const each of pending) {
      const forget = (): void => {
        pending = pending.filter((other) => other !== each)
      }
      each.refused.then(forget, () => undefined)
    }
    const notRefused = (): Error => pending[0]?.soFar() ?? new ProbeFailure('timeout', 'no refusal came in time')
    const allRefuse = async (): Promise<void> => {
      took('http', await Promise.all(http.map(({ refused }) => refused)), signedOutMs)
      took('exchanged', await Promise.all(descendants.map(({ refused }) => refused)), revokedMs)
    }
    await this.#enter('refused', allRefuse, { ms: left(), late: notRefused })

    const stillOpen = (): Error =>
      new ProbeFailure('accepted', `a WebSocket is open ${bound} ms after its token was revoked`)
    await this.#enter(
      'closed',
      async () => {
        const { code, ms } = await closedAt
        if (code !== revokedCode) {
          throw new ProbeFailure('wrong_answer', `the WebSocket was closed with ${code}, and not with ${revokedCode}`)
        }
        took('websocket', [ms], signedOutMs)
      },
      { ms: left(), late: stillOpen },
    )
  }

  async #enter<T>(phase: Phase, work: Work<T>, { ms = this.#limits.phaseMs, late }: PhaseLimits = {}): Promise<T> {
    const clock: Clock = this.#world.clock
    const beganMs = clock.monotonicMs()
    this.phase = phase
    let ok = false
    try {
      const limits = { clock, ms, stop: this.#run.signal, ...(late === undefined ? {} : { late }) }
      const result = await within(limits, work)
      ok = true
      return result
    } finally {
      const result: PhaseResult = { phase, ok, ms: clock.monotonicMs() - beganMs }
      this.phases.push(result)
      this.#run.onPhase?.(result)
    }
  }

  close(): void {
    this.#closing.abort()
    for (const end of this.#closes.splice(0).reverse()) end()
  }
}

/** `revoked` of PROTOCOL.md, section 6. */
const revokedCode = 4431
