import type { DenialReason } from '../denial.ts'

/** Thrown by `ctx.db` inside a handler; the wrapper around the handler turns it into a denial. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: DenialReason
  constructor(reason: DenialReason) {
    super(`Denied: ${reason}.`)
    this.reason = reason
  }
}

/** Whether a handler has done anything that a denial would have to take back. */
export interface Effects {
  any: boolean
}

/** `target`, noting the first call of any of its methods. */
export function noting<Target extends object>(target: Target, effects: Effects): Target {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        effects.any = true
        return Reflect.apply(value, object, args)
      }
    },
  })
}
