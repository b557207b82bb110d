import type { EntryKind } from '../access.ts'
import type { Caller } from './caller.ts'
import type { Door } from './door.ts'
import type { Entry, Registry } from './registry.ts'

/** How the SDK describes an entry in a list, as it goes over the wire. */
export type Definition = Readonly<Record<string, unknown>>

/** For each kind, the definitions by the entries' names. */
export type Definitions = Readonly<Record<EntryKind, ReadonlyMap<string, Definition>>>

/** Filtered lists. */
export interface Lists {
  /** What this caller may use, in order of names. The same array for callers who may use the same. */
  list(kind: EntryKind, caller: Caller): readonly Definition[]
  /** The same as JSON, written once for all who may use the same. */
  text(kind: EntryKind, caller: Caller): string
  /** How the SDK describes one entry, whoever may use it. */
  definition(entry: Entry): Definition | undefined
  /** The same as entries. */
  entries(kind: EntryKind, caller: Caller): readonly Entry[]
}

interface Kept {
  readonly entries: readonly Entry[]
  readonly listed: readonly Definition[]
  text: string | undefined
}

/** Most distinct lists that are kept for each kind: each may be some hundred kilobytes of text. */
const most = 64

/** What a caller may use depends on the accesses that hold for it: these are few, and lists are kept by them. */
export function createLists(registry: Registry, definitions: Definitions, door: Door): Lists {
  const { accesses } = registry
  const kinds = { tool: keep('tool'), prompt: keep('prompt'), resource: keep('resource') }
  const kept = { ...kinds, 'resource-template': keep('resource-template') }

  function keep(kind: EntryKind) {
    const all = registry.all(kind)
    const groups = [...new Set(all.map(({ group }) => group))]
    const lists = new Map<string, Kept>()
    return (caller: Caller) => {
      let key = ''
      for (const group of groups) {
        const access = accesses[group]
        key += access !== undefined && door.mayUse(caller, { access }) ? '1' : '0'
      }
      let found = lists.get(key)
      if (found === undefined) {
        const open = new Set(groups.filter((_, index) => key[index] === '1'))
        const entries = all.filter(({ group }) => open.has(group))
        const listed = entries.map(({ name }) => definitions[kind].get(name)).filter((one) => one !== undefined)
        found = { entries, listed, text: undefined }
        if (lists.size >= most) lists.clear()
        lists.set(key, found)
      }
      return found
    }
  }

  return {
    list: (kind, caller) => kept[kind](caller).listed,
    definition: ({ kind, name }) => definitions[kind].get(name),
    entries: (kind, caller) => kept[kind](caller).entries,
    text(kind, caller) {
      const found = kept[kind](caller)
      found.text ??= JSON.stringify(found.listed)
      return found.text
    },
  }
}
