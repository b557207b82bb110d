import { type GenericSchema, makeFunctionReference, type UserIdentity } from 'convex/server'
import { type DenialReason, denied, readDenial } from '../../../denial.ts'
import { runnerRefusalCodes } from '../../../runner/runner-refused.ts'
import { type Found, type FunctionKind, findKind, member } from './found.ts'
import { mixtures } from './mixtures.ts'
import { asComparable, asText, type Row, type Rows, readRows } from './rows.ts'
import type { AnyCaller, ConvexModules, IsolationPersona, IsolationRequest, IsolationWorld } from './world.ts'

export type Outcome = { readonly value: unknown } | { readonly error: unknown }

/** One call in a world of its own. */
export interface Ran {
  readonly outcome: Outcome
  readonly args: Readonly<Record<string, unknown>>
  readonly before: Rows
  readonly after: Rows
  readonly denial: DenialReason | undefined
  /** A denial, and nothing beside it. */
  readonly isBareDenial: boolean
  /** The answer and the rows that are left for the caller to see, in which equal runs are equal. */
  readonly seen: string
  /** How many mixtures of the arguments there are. */
  readonly mixtures: number
}

export interface Trial {
  readonly found: Found
  readonly persona: IsolationPersona | 'rightful'
  readonly isHidden: (row: Row) => boolean
  /** Which mixture of the arguments. @default the rightful caller's own */
  readonly mixture?: number
  /** Takes the hidden rows away before the call. */
  readonly withoutHidden?: boolean
}

/** Rounds of scheduled work that schedules more. */
const mostRounds = 10

export async function runTrial<Seeded, Schema extends GenericSchema>(
  modules: ConvexModules,
  world: IsolationWorld<Seeded, Schema>,
  { found, persona, isHidden, mixture, withoutHidden = false }: Trial,
): Promise<Ran> {
  // An optional peer: who tests a guard with `fakeClerk` alone has none.
  const { convexTest } = await import('convex-test')
  const since = Date.now() - 1_000
  const own = convexTest<Schema>({ schema: world.schema, modules: { ...modules } })
  const seeded = await world.seed(own)
  // From here on by names that are known at run time only.
  const t = own as unknown as AnyCaller
  const tables = Object.keys(world.schema.tables)
  const before = await readRows(t, tables)
  const made: Readonly<Record<string, unknown>> =
    found.kind === 'route' ? { ...world.requests?.[found.name]?.(seeded) } : (world.args[found.name]?.(seeded) ?? {})
  const mixed = found.kind === 'route' ? [] : mixtures(made, before, isHidden)
  const args = (mixture === undefined ? made : mixed[mixture]) ?? made
  if (withoutHidden) await remove(t, before, isHidden)
  const identity: Partial<UserIdentity> | undefined =
    persona === 'rightful' ? world.rightful : persona === 'nobody' ? undefined : world.personas[persona]
  const caller = identity === undefined ? t : t.withIdentity(identity)
  const outcome = found.kind === 'route' ? await request(caller, found.name, args) : await call(caller, found, args)
  await runScheduled(t, modules)
  const after = await readRows(t, tables)
  const reason = readDenial('error' in outcome ? outcome.error : outcome.value)
  const ignored = world.ignoredTables ?? ['authAudit']
  const visible = [...after.values()].filter((row) => !isHidden(row) && !ignored.includes(row.table))
  return {
    outcome,
    args,
    before,
    after,
    denial: reason,
    isBareDenial: reason !== undefined && isBare(outcome, reason),
    seen: asComparable([answerOf(outcome), visible.map(({ document }) => document)], since),
    mixtures: mixed.length,
  }
}

/** Everything that came back, in text. */
export function answerOf(outcome: Outcome): string {
  if ('value' in outcome) return asText(outcome.value)
  const { error } = outcome
  return `${String(error)} ${asText(member(error, 'data'))}`
}

/** Nothing may ride along with a denial: an envelope with rows in it is still rows. */
function isBare(outcome: Outcome, reason: DenialReason): boolean {
  const envelope: unknown = 'error' in outcome ? member(outcome.error, 'data') : outcome.value
  const inner = member(envelope, 'countersignDenied')
  const code = runnerRefusalCodes.find((one) => one === member(inner, 'runner'))
  const bare = { ...denied(reason).countersignDenied, ...(code === undefined ? {} : { runner: code }) }
  return Object.keys(envelope ?? {}).length === 1 && asText(sorted(inner)) === asText(sorted(bare))
}

function sorted(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).sort() : value
}

async function remove(t: AnyCaller, rows: Rows, isHidden: (row: Row) => boolean): Promise<void> {
  await t.run(async (ctx) => {
    for (const row of rows.values()) if (isHidden(row)) await ctx.db.delete(row.document._id as never)
  })
}

async function call(
  caller: AnyCaller,
  { name, kind }: { readonly name: string; readonly kind: FunctionKind | 'route' },
  args: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  try {
    if (kind === 'query') return { value: await caller.query(makeFunctionReference<'query'>(name), args) }
    if (kind === 'mutation') return { value: await caller.mutation(makeFunctionReference<'mutation'>(name), args) }
    return { value: await caller.action(makeFunctionReference<'action'>(name), args) }
  } catch (error) {
    return { error }
  }
}

/** What a route answered. */
export interface Answered {
  readonly status: number
  readonly body: string
}

async function request(caller: AnyCaller, name: string, described: IsolationRequest): Promise<Outcome> {
  const [method = '', route = ''] = name.split(' ')
  const { path = route, headers = {}, body } = described
  try {
    const response = await caller.fetch(path, { method, headers, ...(body === undefined ? {} : { body }) })
    return { value: { status: response.status, body: await response.text() } satisfies Answered }
  } catch (error) {
    return { error }
  }
}

/** What a call put off is done at once, in nobody's name as a deployment does it: it counts as the call's. */
async function runScheduled(t: AnyCaller, modules: ConvexModules): Promise<void> {
  for (let round = 0; round < mostRounds; round++) {
    await t.finishInProgressScheduledFunctions()
    const jobs = await t.run(async (ctx) => {
      const all = await ctx.db.system.query('_scheduled_functions').collect()
      const pending = all.filter(({ state }) => state.kind === 'pending')
      for (const { _id } of pending) await ctx.scheduler.cancel(_id)
      return pending.map(({ name, args }) => ({ name, args: args[0] ?? {} }))
    })
    if (jobs.length === 0) return
    for (const { name, args } of jobs) {
      const kind = await findKind(modules, name)
      // What it throws, nobody is told.
      if (kind !== undefined) await call(t, { name: name.replace(/\.js(?=:|$)/, ''), kind }, args)
    }
  }
}
