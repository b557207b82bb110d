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
  /** Why the call was denied; what its handler still has under way does nothing any more. */
  denied?: DenialReason
}

/** @throws Refusal after the call was denied */
export function noteEffect(effects: Effects): void {
  if (effects.denied !== undefined) throw new Refusal(effects.denied)
  effects.any = true
}

/** `target`, noting the first call of any of its methods. */
export function noting<Target extends object>(target: Target, effects: Effects): Target {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        noteEffect(effects)
        return Reflect.apply(value, object, args)
      }
    },
  })
}
