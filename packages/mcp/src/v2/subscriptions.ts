import { within } from '../core/within.ts'
import type { SubscriptionOptions } from './types.ts'

/** How many `subscriptions/listen` streams each caller has open: nobody takes them all. */
export class Subscriptions {
  readonly max: number
  readonly #maxPerCaller: number
  readonly #open = new Map<string, number>()

  /** @throws McpGuardError `bad_option` */
  constructor({ max, maxPerCaller }: SubscriptionOptions = {}) {
    this.max = within('subscriptions.max', max, 10_000, [1, 1_000_000])
    this.#maxPerCaller = within('subscriptions.maxPerCaller', maxPerCaller, 32, [1, 10_000])
  }

  /** What gives the place back, once; `undefined` where the caller has as many as may be. */
  take(owner: string): (() => void) | undefined {
    const held = this.#open.get(owner) ?? 0
    if (held >= this.#maxPerCaller) return undefined
    this.#open.set(owner, held + 1)
    let isBack = false
    return () => {
      if (isBack) return
      isBack = true
      const left = (this.#open.get(owner) ?? 1) - 1
      if (left === 0) this.#open.delete(owner)
      else this.#open.set(owner, left)
    }
  }
}
