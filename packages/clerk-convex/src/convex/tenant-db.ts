import type { GenericDatabaseReader, GenericDatabaseWriter, GenericDataModel, IndexRange, Query } from 'convex/server'
import type { GenericId, Value } from 'convex/values'
import { AuthError } from '../auth-error.ts'
import { type Effects, noteEffect, Refusal } from './effects.ts'
import { prefixOf, type Setting, startsWith, type TenantRule } from './options.ts'

type Document = Record<string, Value>
type Id = GenericId<string>
type RawQuery = Query<GenericDataModel[string]>
type ScopedQuery = RawQuery & { withIndex(index: string, range?: (q: Range) => IndexRange): RawQuery }
/** An index range that goes on: what Convex's builder is once the tenant's fields are filled in. */
interface Range extends IndexRange {
  eq(field: string, value: Value): Range
}

/** Who looks, and what they may see. */
export interface Scope {
  readonly organization: string | undefined
  readonly user: string | undefined
  readonly workspace: string | undefined
  seesWorkspace(workspace: string): Promise<boolean>
}

/** The caller's own rows, table by table, by the beginning of an index: nothing foreign is read to be filtered away. */
export class TenantDb {
  readonly #raw: GenericDatabaseReader<GenericDataModel>
  readonly #setting: Setting
  readonly #scope: Scope
  readonly #seen = new Map<string, Promise<boolean>>()

  constructor(raw: GenericDatabaseReader<GenericDataModel>, setting: Setting, scope: Scope) {
    this.#raw = raw
    this.#setting = setting
    this.#scope = scope
  }

  async get(...where: readonly [string, Id] | readonly [Id]): Promise<Document | null> {
    const [first, second] = where
    const found = second === undefined ? this.tableOf(first as Id) : { table: first, rule: this.rule(first) }
    if (found === undefined) return null
    const id = this.#raw.normalizeId(found.table, second ?? first)
    const row = id === null ? null : await this.#raw.get(found.table, id)
    return row !== null && (await this.isOwn(found.rule, row)) ? row : null
  }

  normalizeId(table: string, id: string): Id | null {
    this.rule(table)
    return this.#raw.normalizeId(table, id)
  }

  query(table: string): ScopedQuery {
    const rule = this.rule(table)
    const prefix = prefixOf(rule)
    const values = this.#prefixValues(table, rule)
    const ranged = (index: string, range?: (q: Range) => IndexRange): RawQuery => {
      if (!startsWith(this.#setting.indexes.get(table)?.get(index), prefix)) {
        return misuse(`The index ${index} of ${table} does not begin with ${prefix.join(', ')}.`)
      }
      return this.#raw.query(table).withIndex(index, (q) => {
        // Convex's types follow the fields of one known index; which one it is, is known at run time only.
        const own = prefix.reduce<Range>((so, field, at) => so.eq(field, values[at] ?? ''), q as unknown as Range)
        return range === undefined ? own : range(own)
      })
    }
    const all = (): RawQuery => ranged(rule.index)
    const scoped: Omit<ScopedQuery, 'filter'> & { filter: RawQuery['filter'] } = {
      withIndex: ranged,
      order: (order) => all().order(order),
      filter: (predicate) => all().filter(predicate),
      paginate: (options) => all().paginate(options),
      collect: () => all().collect(),
      take: (most) => all().take(most),
      first: () => all().first(),
      unique: () => all().unique(),
      [Symbol.asyncIterator]: () => all()[Symbol.asyncIterator](),
    }
    // `filter` says that it returns `this`; a filtered query has no index left to choose.
    return scoped as ScopedQuery
  }

  /** The rule of a table; not listed is not allowed. */
  rule(table: string): TenantRule {
    return this.#setting.rules.get(table) ?? misuse(`The table ${table} is not listed under \`tenants\`.`)
  }

  /** Which listed table an id is of. */
  tableOf(id: Id): { readonly table: string; readonly rule: TenantRule } | undefined {
    for (const [table, rule] of this.#setting.rules) {
      if (this.#raw.normalizeId(table, id) !== null) return { table, rule }
    }
    return undefined
  }

  /** The id that stands in a row's tenant field. */
  ownerOf(rule: TenantRule): string {
    const owner = rule.owner === 'user' ? this.#scope.user : this.#scope.organization
    return owner ?? misuse(`A table of ${rule.owner ?? 'organization'}s needs one, and this function has none.`)
  }

  get workspace(): string | undefined {
    return this.#scope.workspace
  }

  async isOwn(rule: TenantRule, row: Document): Promise<boolean> {
    if (row[rule.field] !== this.ownerOf(rule)) return false
    return rule.workspace === undefined || this.sees(row[rule.workspace])
  }

  async sees(workspace: unknown): Promise<boolean> {
    if (typeof workspace !== 'string') return false
    if (this.#scope.workspace !== undefined) return workspace === this.#scope.workspace
    const seen = this.#seen.get(workspace) ?? this.#scope.seesWorkspace(workspace)
    this.#seen.set(workspace, seen)
    return seen
  }

  #prefixValues(table: string, rule: TenantRule): readonly string[] {
    if (rule.workspace === undefined) return [this.ownerOf(rule)]
    const workspace = this.#scope.workspace
    return workspace === undefined
      ? misuse(`${table} is listed one workspace at a time: name the argument with \`workspace\`.`)
      : [this.ownerOf(rule), workspace]
  }
}

/** The same, and writing: a row keeps its tenant for life. */
export class TenantWriterDb extends TenantDb {
  readonly #raw: GenericDatabaseWriter<GenericDataModel>
  readonly #effects: Effects

  constructor(raw: GenericDatabaseWriter<GenericDataModel>, setting: Setting, scope: Scope, effects: Effects) {
    super(raw, setting, scope)
    this.#raw = raw
    this.#effects = effects
  }

  async insert(table: string, value: Document): Promise<Id> {
    const stamped = await this.#stamped(this.rule(table), value)
    noteEffect(this.#effects)
    return this.#raw.insert(table, stamped)
  }

  async patch(...where: readonly [string, Id, Document] | readonly [Id, Document]): Promise<void> {
    const { table, rule, id, value } = await this.#ownRow(where)
    await this.#checkMove(rule, value)
    noteEffect(this.#effects)
    await this.#raw.patch(table, id, value)
  }

  async replace(...where: readonly [string, Id, Document] | readonly [Id, Document]): Promise<void> {
    const { table, rule, id, value } = await this.#ownRow(where)
    const stamped = await this.#stamped(rule, value)
    noteEffect(this.#effects)
    await this.#raw.replace(table, id, stamped)
  }

  async delete(...where: readonly [string, Id] | readonly [Id]): Promise<void> {
    const [first, second] = where
    const { table, id } = await this.#ownRow(second === undefined ? [first as Id, {}] : [first, second, {}])
    noteEffect(this.#effects)
    await this.#raw.delete(table, id)
  }

  async #ownRow(where: readonly [string, Id, Document] | readonly [Id, Document]) {
    const [given, value] = where.length === 3 ? [where[1], where[2]] : where
    const found = where.length === 3 ? { table: where[0], rule: this.rule(where[0]) } : this.tableOf(given)
    const id = found === undefined ? null : this.#raw.normalizeId(found.table, given)
    // One answer for what is not there and what is another's, so that it tells nobody which.
    if (found === undefined || id === null || (await this.get(found.table, id)) === null) throw new Refusal('not_found')
    return { ...found, id, value }
  }

  async #stamped(rule: TenantRule, value: Document): Promise<Document> {
    await this.#checkMove(rule, value)
    const { workspace } = this
    const inWorkspace = rule.workspace !== undefined && value[rule.workspace] === undefined && workspace !== undefined
    const stamped = {
      ...value,
      [rule.field]: this.ownerOf(rule),
      ...(inWorkspace && rule.workspace !== undefined ? { [rule.workspace]: workspace } : {}),
    }
    // A row without a workspace would be nobody's; a schema that lets it be optional is not asked.
    return rule.workspace === undefined || typeof stamped[rule.workspace] === 'string'
      ? stamped
      : misuse(`A row needs ${rule.workspace}: give it, or name the argument with \`workspace\`.`)
  }

  /** A row never leaves its tenant, and goes only to workspaces that the caller sees. */
  async #checkMove(rule: TenantRule, value: Document): Promise<void> {
    if (Object.hasOwn(value, rule.field) && value[rule.field] !== this.ownerOf(rule)) throw new Refusal('not_found')
    if (rule.workspace === undefined || !Object.hasOwn(value, rule.workspace)) return
    if (!(await this.sees(value[rule.workspace]))) throw new Refusal('workspace_hidden')
  }
}

function misuse(message: string): never {
  throw new AuthError('tenant_misuse', message)
}
