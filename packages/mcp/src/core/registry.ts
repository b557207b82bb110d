import type { Access, CatalogueEntry, EntryKind } from '../access.ts'
import { McpGuardError } from '../errors.ts'
import { checkAccess } from './scope-rules.ts'

/** A declared tool, resource or prompt; `declared` and `handler` are of the SDK's shape. */
export interface Entry {
  readonly kind: EntryKind
  readonly name: string
  readonly access: Access
  /** The same number for the same access: lists are filtered by it. */
  readonly group: number
  /** Of a resource template: whether a URI is one of its. */
  readonly matches?: (uri: string) => boolean
  readonly declared: Readonly<Record<string, unknown>>
  readonly handler: unknown
}

export interface NewEntry {
  readonly kind: EntryKind
  readonly name: string
  readonly declaration: unknown
  readonly handler: unknown
  readonly matches?: (uri: string) => boolean
}

/** The spec's alphabet for names of tools. Names go into challenges, events and files of the catalogue's readers. */
const plainName = /^[A-Za-z0-9_\-./]{1,128}$/

/** Everything that was declared. What is not in here is denied. */
export class Registry {
  readonly #known: readonly string[] | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #templates: Entry[] = []
  readonly #groups = new Map<string, number>()
  readonly #accesses: Access[] = []
  #sealed = false

  constructor(knownScopes: readonly string[] | undefined) {
    this.#known = knownScopes
  }

  /** @throws McpGuardError `no_access`, `unknown_scope`, `bad_name`, `duplicate`, `started` */
  add({ kind, name, declaration, handler, matches }: NewEntry): void {
    const what = `${words[kind]} ${JSON.stringify(name)}`
    if (this.#sealed) throw new McpGuardError('started', `${what} comes after the start.`)
    checkName(kind, name, what)
    if (typeof declaration !== 'object' || declaration === null) {
      throw new McpGuardError('no_access', `${what} does not say who may use it.`)
    }
    const { scopes, ...declared } = declaration as Readonly<Record<string, unknown>>
    const access = checkAccess(scopes, this.#known, what)
    if (typeof handler !== 'function') throw new McpGuardError('bad_option', `${what} has no handler.`)
    const key = keyOf(kind, name)
    if (this.#entries.has(key)) throw new McpGuardError('duplicate', `${what} is declared twice.`)
    const entry: Entry = {
      ...{ kind, name, access, declared, handler },
      group: this.#groupOf(access),
      ...(matches === undefined ? {} : { matches }),
    }
    this.#entries.set(key, entry)
    if (kind === 'resource-template') this.#templates.push(entry)
  }

  get(kind: EntryKind, name: string): Entry | undefined {
    return this.#entries.get(keyOf(kind, name))
  }

  /** As the SDKs look a resource up: its own URI first, then the templates in their order. */
  resourceAt(uri: string): Entry | undefined {
    if (!URL.canParse(uri)) return undefined
    const { href } = new URL(uri)
    return this.get('resource', href) ?? this.#templates.find(({ matches }) => matches?.(href) === true)
  }

  /** In the order in which they were declared: the SDKs go through templates in the order that they get them in. */
  get declared(): readonly Entry[] {
    return [...this.#entries.values()]
  }

  /** In order of their names. */
  all(kind?: EntryKind): readonly Entry[] {
    const found = this.declared.filter((entry) => kind === undefined || entry.kind === kind)
    return found.sort((a, b) => rank(a.kind) - rank(b.kind) || (a.name < b.name ? -1 : 1))
  }

  /** The distinct accesses; an entry's `group` is an index of it. */
  get accesses(): readonly Access[] {
    return this.#accesses
  }

  get catalogue(): readonly CatalogueEntry[] {
    return this.all().map(({ kind, name, access, declared: { title, description } }) => ({
      ...{ kind, name, access },
      ...(typeof title === 'string' ? { title } : {}),
      ...(typeof description === 'string' ? { description } : {}),
    }))
  }

  /** Nothing can be declared any more. */
  seal(): void {
    this.#sealed = true
  }

  #groupOf(access: Access): number {
    const key = typeof access === 'string' ? access : `[${[...access].sort().join(' ')}]`
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    this.#groups.set(key, this.#accesses.length)
    return this.#accesses.push(access) - 1
  }
}

const words: Readonly<Record<EntryKind, string>> = {
  tool: 'The tool',
  prompt: 'The prompt',
  resource: 'The resource',
  'resource-template': 'The resource template',
}

function rank(kind: EntryKind): number {
  return Object.keys(words).indexOf(kind)
}

function keyOf(kind: EntryKind, name: string): string {
  return `${kind} ${name}`
}

function checkName(kind: EntryKind, name: unknown, what: string): void {
  // The SDKs keep names as properties of an object: those that every object has are none.
  const isFine =
    typeof name === 'string' &&
    (kind === 'tool' || kind === 'prompt'
      ? plainName.test(name) && !(name in Object.prototype)
      : /^[a-z][a-z0-9+.-]*:/i.test(name))
  if (!isFine) throw new McpGuardError('bad_name', `${what} cannot be called so.`)
}
