import type { Guard } from '@countersign/guard'
import type { CatalogueEntry } from '../access.ts'
import { McpGuardError } from '../errors.ts'
import type { McpEvent } from '../events.ts'
import type { GuardMcpOptions } from '../options.ts'
import type { Exchanges } from './caller.ts'
import { createDoor, type Door } from './door.ts'
import { Registry } from './registry.ts'
import { createScopeRules } from './scope-rules.ts'
import { within } from './within.ts'

/** What both SDKs' adapters rest on. */
export interface Core {
  readonly guard: Guard
  readonly registry: Registry
  readonly door: Door
  readonly listTtlMs: number
  readonly report: ((event: McpEvent) => void) | undefined
}

/** @throws McpGuardError `bad_option`, `unknown_scope` */
export function createCore<Scope extends string, Target extends string>(options: GuardMcpOptions<Scope, Target>): Core {
  const guard: Guard = options.guard
  const { implies, onEvent, exchange = {} } = options
  for (const [target, one] of Object.entries<unknown>(exchange)) {
    if (typeof one !== 'function') throw new McpGuardError('bad_option', `exchange: ${target} is no function.`)
  }
  const rules = createScopeRules(implies, guard.scopes)
  const door = createDoor({ guard, rules, exchanges: { ...exchange } as Exchanges, report: onEvent })
  const listTtlMs = within('listTtlMs', options.listTtlMs, 60_000, [0, 86_400_000])
  return { guard, registry: new Registry(guard.scopes), door, listTtlMs, report: onEvent }
}

export function catalogueOf<Scope extends string>({ registry }: Core): readonly CatalogueEntry<Scope>[] {
  return registry.catalogue as readonly CatalogueEntry<Scope>[]
}
