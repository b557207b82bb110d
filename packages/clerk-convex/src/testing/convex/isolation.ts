import {
  type DataModelFromSchemaDefinition,
  type GenericDataModel,
  type GenericSchema,
  makeFunctionReference,
  type SchemaDefinition,
  type UserIdentity,
} from 'convex/server'
import type { TestConvexForDataModel } from 'convex-test'
import { type FunctionCard, readCard } from '../../convex/function-card.ts'
import { readDenial } from '../../denial.ts'

/** The same as `import.meta.glob('./convex/**\/*.ts')`. */
export type ConvexModules = Readonly<Record<string, () => Promise<unknown>>>

/** Callers, each held to what it may do with the arguments of the rightful one. */
export const isolationPersonas = ['nobody', 'foreignOrganization', 'foreignWorkspace', 'missingRole'] as const
export type IsolationPersona = (typeof isolationPersonas)[number]

export interface IsolationWorld<Seeded, Schema extends GenericSchema = GenericSchema> {
  readonly schema: SchemaDefinition<Schema, true>
  /** Makes two organisations with rows of both, and hands on what `args` need. */
  readonly seed: (
    t: TestConvexForDataModel<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  ) => Promise<Seeded>
  /** May call everything, in the first organisation. */
  readonly rightful: Partial<UserIdentity>
  readonly personas: Readonly<Record<Exclude<IsolationPersona, 'nobody'>, Partial<UserIdentity>>>
  /** Whether a row is none of this caller's business: it must neither come back nor change. */
  readonly hidden: (
    persona: 'foreignOrganization' | 'foreignWorkspace',
    row: Readonly<Record<string, unknown>>,
    table: string,
  ) => boolean
  /** The arguments of the rightful caller, by `module:function`; a function that is missing fails. */
  readonly args: Readonly<Record<string, (seeded: Seeded) => Record<string, unknown>>>
  /** Functions that anybody may call, `publicQuery` or not made by `defineAuth` at all: each is said out loud. */
  readonly open?: readonly string[]
  /** Tables that calls may write to whoever calls. @default ['authAudit'] */
  readonly ignoredTables?: readonly string[]
}

export interface IsolationFailure {
  readonly function: string
  readonly persona: IsolationPersona | 'rightful' | 'definition'
  readonly fault: string
}

export interface IsolationReport {
  /** Public functions that were found. */
  readonly functions: readonly string[]
  /** Calls that were made. */
  readonly calls: number
  readonly failures: readonly IsolationFailure[]
}

interface Found {
  readonly name: string
  readonly kind: 'query' | 'mutation' | 'action'
  readonly card: FunctionCard | undefined
}

/**
 * Calls every public function as nobody, from another organisation, from outside the workspace and without the role,
 * with arguments that belong to somebody else, and reports what came back or changed. It is generated from the modules:
 * a function that is new and not described fails it.
 *
 * @example
 * expect((await proveIsolation(modules, world)).failures).toEqual([])
 */
export async function proveIsolation<Seeded, Schema extends GenericSchema>(
  modules: ConvexModules,
  world: IsolationWorld<Seeded, Schema>,
): Promise<IsolationReport> {
  const found = await publicFunctions(modules)
  const failures: IsolationFailure[] = []
  let calls = 0
  for (const one of found) {
    const isOpen = world.open?.includes(one.name) === true
    const fail = (persona: IsolationFailure['persona'], fault: string) =>
      failures.push({ function: one.name, persona, fault })
    if (isOpen) continue
    if (one.card === undefined) fail('definition', 'was not made by defineAuth, and is not listed as open')
    else if (one.card.caller === 'public') fail('definition', 'is open to anybody, and is not listed as open')
    const args = world.args[one.name]
    if (args === undefined) {
      fail('definition', 'has no arguments to be proved with')
      continue
    }
    for (const persona of ['rightful', ...isolationPersonas] as const) {
      calls++
      const fault = await attempt(modules, world, one, persona, args)
      if (fault !== undefined) fail(persona, fault)
    }
  }
  const known = new Set(found.map(({ name }) => name))
  for (const name of [...Object.keys(world.args), ...(world.open ?? [])]) {
    if (!known.has(name))
      failures.push({ function: name, persona: 'definition', fault: 'is described, and is not there' })
  }
  return { functions: [...known], calls, failures }
}

async function attempt<Seeded, Schema extends GenericSchema>(
  modules: ConvexModules,
  world: IsolationWorld<Seeded, Schema>,
  { name, kind, card }: Found,
  persona: IsolationPersona | 'rightful',
  makeArgs: (seeded: Seeded) => Record<string, unknown>,
): Promise<string | undefined> {
  // An optional peer: who tests a guard with `fakeClerk` alone has none.
  const { convexTest } = await import('convex-test')
  const own = convexTest<Schema>({ schema: world.schema, modules: { ...modules } })
  const seeded = await world.seed(own)
  // From here on by names that are known at run time only.
  const t = own as unknown as TestConvexForDataModel<GenericDataModel>
  const args = makeArgs(seeded)
  const tables = Object.keys(world.schema.tables).filter(
    (table) => !(world.ignoredTables ?? ['authAudit']).includes(table),
  )
  const before = await rows(t, tables)
  const identity = persona === 'rightful' ? world.rightful : persona === 'nobody' ? undefined : world.personas[persona]
  const outcome = await call(identity === undefined ? t : t.withIdentity(identity), kind, name, args)
  const denial = readDenial('error' in outcome ? outcome.error : outcome.value)
  if (persona === 'rightful') {
    if (denial !== undefined) return `is denied: ${denial}`
    return 'error' in outcome ? `fails: ${String(outcome.error)}` : undefined
  }
  if ('error' in outcome && denial === undefined) return `fails instead of being denied: ${String(outcome.error)}`
  const mustBeDenied = persona === 'nobody' || (persona === 'missingRole' && card?.permission !== undefined)
  if (mustBeDenied && denial === undefined) return 'is answered'
  // Who only lacks the role may see what asks for none.
  if (persona === 'missingRole' && !mustBeDenied) return undefined
  const isHidden = (row: Row): boolean =>
    persona === 'nobody' || persona === 'missingRole' || world.hidden(persona, row.document, row.table)
  const changed = difference(before, await rows(t, tables), isHidden)
  if (changed !== undefined) return `changed ${changed}`
  const leaked = denial === undefined && 'value' in outcome ? leak(outcome.value, args, before, isHidden) : undefined
  return leaked === undefined ? undefined : `hands out ${leaked}`
}

async function call(
  caller: TestConvexForDataModel<GenericDataModel>,
  kind: Found['kind'],
  name: string,
  args: Record<string, unknown>,
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  try {
    if (kind === 'query') return { value: await caller.query(makeFunctionReference<'query'>(name), args) }
    if (kind === 'mutation') return { value: await caller.mutation(makeFunctionReference<'mutation'>(name), args) }
    return { value: await caller.action(makeFunctionReference<'action'>(name), args) }
  } catch (error) {
    return { error }
  }
}

interface Row {
  readonly table: string
  readonly document: Readonly<Record<string, unknown>>
  readonly text: string
}

type Rows = ReadonlyMap<string, Row>

async function rows(t: TestConvexForDataModel<GenericDataModel>, tables: readonly string[]): Promise<Rows> {
  const found = new Map<string, Row>()
  await t.run(async (ctx) => {
    for (const table of tables) {
      for (const document of await ctx.db.query(table).collect()) {
        found.set(String(document._id), { table, document, text: JSON.stringify(document, bigintsAsText) })
      }
    }
  })
  return found
}

function difference(before: Rows, after: Rows, isHidden: (row: Row) => boolean): string | undefined {
  for (const [id, row] of before) {
    if (isHidden(row) && after.get(id)?.text !== row.text) return `${row.table}: ${row.text}`
  }
  for (const [id, row] of after) {
    const old = before.get(id)
    if (isHidden(row) && old?.text !== row.text) return `${row.table}: ${row.text}`
  }
  return undefined
}

/** A hidden row whose id came back: an id that was asked with may be echoed, the row itself may not. */
function leak(value: unknown, args: object, before: Rows, isHidden: (row: Row) => boolean): string | undefined {
  const answer = JSON.stringify(value, bigintsAsText) ?? ''
  const asked = JSON.stringify(args, bigintsAsText)
  for (const [id, row] of before) {
    if (!isHidden(row) || !answer.includes(`"${id}"`)) continue
    if (!asked.includes(`"${id}"`) || answer.includes('"_creationTime"')) return `${row.table}: ${row.text}`
  }
  return undefined
}

function bigintsAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}

async function publicFunctions(modules: ConvexModules): Promise<readonly Found[]> {
  const found: Found[] = []
  const paths = Object.keys(modules).filter((path) => !path.includes('_generated/') && !/\.d\.ts$|\.map$/.test(path))
  const anchor = Object.keys(modules).find((path) => path.includes('_generated/')) ?? ''
  const root = anchor.slice(0, anchor.indexOf('_generated/'))
  for (const path of paths.sort()) {
    const module: unknown = await modules[path]?.()
    if (typeof module !== 'object' || module === null) continue
    for (const [name, value] of Object.entries(module)) {
      if (member(value, 'isPublic') !== true) continue
      const kind = (['query', 'mutation', 'action'] as const).find((one) => member(value, kindMarks[one]) === true)
      if (kind === undefined) continue
      const file = path.slice(root.length).replace(/\.[cm]?[jt]sx?$/, '')
      found.push({ name: `${file}:${name}`, kind, card: readCard(value) })
    }
  }
  return found
}

const kindMarks = { query: 'isQuery', mutation: 'isMutation', action: 'isAction' } as const

function member(value: unknown, name: string): unknown {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? Reflect.get(value, name)
    : undefined
}
