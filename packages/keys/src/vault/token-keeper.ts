import type { Clock } from '@countersign/tokens'
import { z } from 'zod'
import { KeysError } from '../keys-error.ts'
import type { VaultAuth } from './vault-auth.ts'
import type { VaultEvent } from './vault-events.ts'
import type { VaultAnswer } from './vault-exchange.ts'
import type { Send, SendLimits } from './vault-sender.ts'

/** Keeps a living token at hand. */
export interface TokenKeeper {
  /** Logs in if there is no token, or the one there was has run out. */
  get(): Promise<string>
  /**
   * After a 403, which means a token that has run out just as well as a missing permission: one lookup, one login.
   *
   * @returns a token worth one more try; `undefined` when the token is alive, and a fresh one would be no other
   */
  refused(token: string): Promise<string | undefined>
  /** Forgets the token, and revokes it if it came of a login. */
  close(): Promise<void>
}

interface HeldToken {
  readonly value: string
  /** 0: never expires. */
  readonly leaseSeconds: number
  /** What Vault grants when nothing is in the way: a renewal that brings less nears its maximum. */
  readonly fullSeconds: number
  readonly renewable: boolean
  readonly fromMs: number
}

const limits: SendLimits = { repeat: true, withinMs: 10_000, patient: false, maxBytes: 65_536 }
/** A renewal that brings less than this part of the first lease is the last but one. */
const shrunk = 0.9
/** A fresh login may bring new permissions, but not with every refused request. */
const loginForPermissionsEveryMs = 60_000
const longestRetrySeconds = 30

const leaseSchema = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[!-~]{1,8192}$/),
    lease_duration: z.number().nonnegative(),
    renewable: z.boolean(),
  }),
})
const lookupSchema = z.object({ data: z.object({ ttl: z.number().nonnegative(), renewable: z.boolean().optional() }) })

export interface TokenKeeperOptions {
  readonly auth: VaultAuth
  readonly send: Send
  readonly namespace: string | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly emit: (event: VaultEvent) => void
}

export function createTokenKeeper({ auth, send, namespace, clock, random, emit }: TokenKeeperOptions): TokenKeeper {
  let held: HeldToken | undefined
  let loggingIn: Promise<HeldToken> | undefined
  let examining: { readonly token: string; readonly found: Promise<string | undefined> } | undefined
  let permissionsAskedMs = Number.NEGATIVE_INFINITY
  let failing = false
  let closed = false
  let cancel = (): void => {}

  const leftSeconds = ({ leaseSeconds, fromMs }: HeldToken): number =>
    leaseSeconds === 0 ? Number.POSITIVE_INFINITY : leaseSeconds - (clock.monotonicMs() - fromMs) / 1000

  const self = (kind: string, token: string): Promise<VaultAnswer> =>
    kind === 'lookup-self'
      ? send({ method: 'GET', path: 'auth/token/lookup-self' }, { token, namespace }, limits)
      : send({ method: 'POST', path: `auth/token/${kind}`, body: {} }, { token, namespace }, limits)

  function parse<T>(schema: z.ZodType<T>, answer: VaultAnswer, what: string): T {
    const parsed = schema.safeParse(answer.body)
    if (!parsed.success) throw new KeysError('vault_answer_invalid', `Vault's answer to ${what} has another form`)
    return parsed.data
  }

  function refuseUnless200(answer: VaultAnswer, what: string): void {
    if (answer.status === 200) return
    const code = answer.status === 400 || answer.status === 403 ? 'vault_denied' : 'vault_refused'
    throw new KeysError(code, `Vault refused ${what} (${answer.status}): ${answer.said}`)
  }

  async function acquire(): Promise<HeldToken> {
    const fromMs = clock.monotonicMs()
    if (auth.kind === 'login') {
      const answer = await send(await auth.request(), { namespace }, limits)
      refuseUnless200(answer, 'the login')
      const {
        client_token: value,
        lease_duration: leaseSeconds,
        renewable,
      } = parse(leaseSchema, answer, 'the login').auth
      // The old token stays until this one is seen to work.
      refuseUnless200(await self('lookup-self', value), 'the new token')
      return { value, leaseSeconds, fullSeconds: leaseSeconds, renewable, fromMs }
    }
    const value = await auth.token()
    const answer = await self('lookup-self', value)
    refuseUnless200(answer, 'the token')
    const { ttl, renewable = false } = parse(lookupSchema, answer, 'lookup-self').data
    const fullSeconds = held?.value === value ? held.fullSeconds : ttl
    return { value, leaseSeconds: ttl, fullSeconds, renewable, fromMs }
  }

  function logIn(): Promise<HeldToken> {
    loggingIn ??= acquire()
      .then((token) => {
        held = token
        failing = false
        emit({ type: 'vault.logged_in', leaseSeconds: token.leaseSeconds })
        armRenewal(token)
        return token
      })
      .finally(() => {
        loggingIn = undefined
      })
    return loggingIn
  }

  function arm(seconds: number): void {
    cancel()
    if (closed) return
    cancel = clock.after(seconds * 1000, () => void renew())
  }

  /** At two thirds of what is left, a tenth of it earlier or later. */
  function armRenewal(token: HeldToken): void {
    if (token.leaseSeconds > 0) arm(Math.max(1, (leftSeconds(token) * 2 * (0.9 + 0.2 * random())) / 3))
  }

  async function renew(): Promise<void> {
    const old = held
    if (old === undefined || closed) return
    try {
      if (old.renewable && (await extend(old))) return
      const token = await logIn()
      // A token that cannot be had anew: whoever gave it has to give another.
      if (auth.kind === 'token' && token.value === old.value && !token.renewable) {
        throw new KeysError('vault_denied', `the token cannot be renewed and runs out in ${token.leaseSeconds} s`)
      }
    } catch (error) {
      if (!failing) emit({ type: 'vault.login_failed', error })
      failing = true
      const left = held === undefined ? 0 : leftSeconds(held)
      arm(Math.min(Math.max(1, left / 3), longestRetrySeconds))
    }
  }

  /** @returns false when it is time for a new token */
  async function extend(old: HeldToken): Promise<boolean> {
    const fromMs = clock.monotonicMs()
    const answer = await self('renew-self', old.value)
    if (answer.status !== 200) return false
    const { lease_duration: leaseSeconds, renewable } = parse(leaseSchema, answer, 'renew-self').auth
    const fullSeconds = Math.max(old.fullSeconds, leaseSeconds)
    held = { value: old.value, leaseSeconds, fullSeconds, renewable, fromMs }
    if (auth.kind === 'login' && leaseSeconds > 0 && leaseSeconds < fullSeconds * shrunk) return false
    failing = false
    emit({ type: 'vault.renewed', leaseSeconds })
    armRenewal(held)
    return true
  }

  async function examine(token: string): Promise<string | undefined> {
    const isAlive = (await self('lookup-self', token)).status === 200
    if (isAlive) {
      const nowMs = clock.monotonicMs()
      if (nowMs - permissionsAskedMs < loginForPermissionsEveryMs) return undefined
      permissionsAskedMs = nowMs
    }
    const fresh = (await logIn()).value
    return isAlive && fresh === token ? undefined : fresh
  }

  return {
    async get() {
      if (held !== undefined && leftSeconds(held) > 0) return held.value
      return (await logIn()).value
    },
    async refused(token) {
      if (held !== undefined && held.value !== token && leftSeconds(held) > 0) return held.value
      if (examining?.token !== token) {
        const found = examine(token).finally(() => {
          examining = undefined
        })
        examining = { token, found }
      }
      return await examining.found
    },
    async close() {
      closed = true
      cancel()
      const token = held
      held = undefined
      if (token === undefined || auth.kind === 'token') return
      const brief = { ...limits, repeat: false, withinMs: 1000 }
      await send(
        { method: 'POST', path: 'auth/token/revoke-self', body: {} },
        { token: token.value, namespace },
        brief,
      ).catch(() => {})
    },
  }
}
