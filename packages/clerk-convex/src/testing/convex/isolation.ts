import type { GenericSchema } from 'convex/server'
import { type Found, findPublic } from './isolation/found.ts'
import { changedRow, leakedRow, type Row, readRows } from './isolation/rows.ts'
import { type Answered, answerOf, type Outcome, type Ran, runTrial, type Trial } from './isolation/run.ts'
import {
  type AnyCaller,
  type ConvexModules,
  type IsolationFailure,
  type IsolationPersona,
  type IsolationReport,
  type IsolationWorld,
  isolationPersonas,
} from './isolation/world.ts'

type Persona = IsolationPersona | 'rightful'

/** Of somebody who is let in nowhere: such a persona shows nothing about what lies inside. */
const outside = ['signed_out', 'pending_session', 'unknown_user', 'no_organization', 'not_a_member']

/**
 * Calls every public function and route as nobody, from another organisation, from outside the workspace and without the
 * role, with arguments that belong to somebody else and with mixtures of those and the caller's own, scheduled work
 * included. It reports hidden rows that came back or changed, and, by doing the same where the hidden rows are not there
 * at all, whatever tells of them: a name, a total, an error. It is generated from the modules: a function that is new and
 * not described fails it.
 *
 * @example
 * expect((await proveIsolation(modules, world)).failures).toEqual([])
 */
export async function proveIsolation<Seeded, Schema extends GenericSchema>(
  modules: ConvexModules,
  world: IsolationWorld<Seeded, Schema>,
): Promise<IsolationReport> {
  const found = await findPublic(modules)
  const failures: IsolationFailure[] = []
  const met = new Meetings()
  let calls = 0
  const run = (trial: Trial): Promise<Ran> => {
    calls++
    return runTrial(modules, world, trial)
  }
  for (const one of found) {
    const fail = (persona: IsolationFailure['persona'], fault: string) =>
      failures.push({ function: one.name, persona, fault })
    if (world.open?.includes(one.name) === true) continue
    if (one.kind === 'route') {
      if (world.requests?.[one.name] === undefined) {
        fail('definition', 'is neither among the requests to be proved with, nor listed as open')
        continue
      }
    } else {
      if (one.card === undefined) fail('definition', 'was not made by defineAuth, and is not listed as open')
      else if (one.card.caller === 'public') fail('definition', 'is open to anybody, and is not listed as open')
      if (world.args[one.name] === undefined) {
        fail('definition', 'has no arguments to be proved with')
        continue
      }
    }
    for (const persona of ['rightful', ...isolationPersonas] as const) {
      const fault = await attempt(world, one, persona, run, met)
      if (fault !== undefined) fail(persona, fault)
    }
  }
  const known = new Set(found.map(({ name }) => name))
  for (const name of [...Object.keys({ ...world.args, ...world.requests }), ...(world.open ?? [])]) {
    if (!known.has(name))
      failures.push({ function: name, persona: 'definition', fault: 'is described, and is not there' })
  }
  failures.push(...(await emptiness(world, found, met)))
  return { functions: [...known], calls, failures }
}

/** What each persona was told, over all functions. */
class Meetings {
  readonly #told = new Map<Persona, Set<string>>()
  note(persona: Persona, told: string): void {
    this.#told.set(persona, (this.#told.get(persona) ?? new Set()).add(told))
  }
  of(persona: Persona): readonly string[] {
    return [...(this.#told.get(persona) ?? [])]
  }
}

async function attempt<Seeded, Schema extends GenericSchema>(
  world: IsolationWorld<Seeded, Schema>,
  found: Found,
  persona: Persona,
  run: (trial: Trial) => Promise<Ran>,
  met: Meetings,
): Promise<string | undefined> {
  const isHidden = hiddenFrom(world, persona)
  const trial: Trial = { found, persona, isHidden }
  const first = await run(trial)
  if (found.card?.caller === 'org') met.note(persona, first.denial ?? 'let in')
  if (persona === 'rightful') return rightfulFault(first)
  const mustBeDenied = persona === 'nobody' || (persona === 'missingRole' && found.card?.permission !== undefined)
  const plain = baseFault(first, mustBeDenied)
  if (plain !== undefined) return plain
  // Who only lacks the role may see what asks for none.
  if (persona === 'missingRole' && !mustBeDenied) return undefined
  const ignored = world.ignoredTables ?? ['authAudit']
  const fault = rowFault(first, isHidden, ignored)
  if (fault !== undefined || persona === 'nobody' || persona === 'missingRole') return fault
  const isTelling = world.telling?.includes(found.name) === true
  if (!isTelling && (await depends(first, trial, run))) return 'answers otherwise where the hidden rows are not there'
  for (let mixture = 0; mixture < first.mixtures; mixture++) {
    const mixed = await run({ ...trial, mixture })
    const what = rowFault(mixed, isHidden, ignored)
    if (what !== undefined) return `${what}, asked with ${JSON.stringify(mixed.args)}`
    if (!isTelling && (await depends(mixed, { ...trial, mixture }, run))) {
      return `answers otherwise where the hidden rows are not there, asked with ${JSON.stringify(mixed.args)}`
    }
  }
  return undefined
}

function hiddenFrom<Seeded, Schema extends GenericSchema>(
  world: IsolationWorld<Seeded, Schema>,
  persona: Persona,
): (row: Row) => boolean {
  return persona === 'foreignOrganization' || persona === 'foreignWorkspace'
    ? ({ document, table }) => world.hidden(persona, document, table)
    : () => persona !== 'rightful'
}

function rightfulFault({ outcome, denial }: Ran): string | undefined {
  if (denial !== undefined) return `is denied: ${denial}`
  if ('error' in outcome) return `fails: ${String(outcome.error)}`
  const answered = asAnswer(outcome)
  return answered !== undefined && answered.status >= 400 ? `is answered with ${answered.status}` : undefined
}

function baseFault(ran: Ran, mustBeDenied: boolean): string | undefined {
  const { outcome, denial, isBareDenial } = ran
  if ('error' in outcome && denial === undefined) return `fails instead of being denied: ${String(outcome.error)}`
  if (denial !== undefined && !isBareDenial) return `hands out more than a denial: ${answerOf(outcome)}`
  const answered = asAnswer(outcome)
  if (answered !== undefined && answered.status >= 500) return `fails instead of being denied: ${answered.status}`
  const isDenied = denial !== undefined || (answered !== undefined && answered.status >= 400)
  return mustBeDenied && !isDenied ? 'is answered' : undefined
}

function rowFault(
  { before, after, outcome, args, denial, isBareDenial }: Ran,
  isHidden: (row: Row) => boolean,
  ignored: readonly string[],
): string | undefined {
  const changed = changedRow(before, after, (row) => isHidden(row) && !ignored.includes(row.table))
  if (changed !== undefined) return `changed ${changed}`
  if (denial !== undefined) return isBareDenial ? undefined : `hands out more than a denial: ${answerOf(outcome)}`
  const leaked = leakedRow(answerOf(outcome), args, before, isHidden)
  return leaked === undefined ? undefined : `hands out ${leaked}`
}

/** Whether the hidden rows make a difference to what the caller sees: in the answer, or in what is theirs afterwards. */
async function depends(ran: Ran, trial: Trial, run: (trial: Trial) => Promise<Ran>): Promise<boolean> {
  const without = await run({ ...trial, withoutHidden: true })
  if (without.seen === ran.seen) return false
  // An answer that is another each time says nothing.
  return (await run(trial)).seen === ran.seen
}

/** What would make a proof hold that shows nothing. */
async function emptiness<Seeded, Schema extends GenericSchema>(
  world: IsolationWorld<Seeded, Schema>,
  found: readonly Found[],
  met: Meetings,
): Promise<readonly IsolationFailure[]> {
  const { convexTest } = await import('convex-test')
  const t = convexTest<Schema>({ schema: world.schema, modules: { './_generated/none.ts': async () => ({}) } })
  await world.seed(t)
  const rows = await readRows(t as unknown as AnyCaller, Object.keys(world.schema.tables))
  const failures: IsolationFailure[] = []
  const fail = (persona: IsolationPersona, fault: string) => failures.push({ function: 'world', persona, fault })
  for (const persona of ['foreignOrganization', 'foreignWorkspace'] as const) {
    if (![...rows.values()].some(hiddenFrom(world, persona))) fail(persona, 'has no row hidden from it')
  }
  for (const persona of isolationPersonas) {
    const told = met.of(persona)
    if (persona !== 'nobody' && told.length > 0 && told.every((one) => outside.includes(one))) {
      fail(persona, `is let in nowhere: ${told.join(', ')}`)
    }
  }
  const asksForRoles = found.some(({ name, card }) => card?.permission !== undefined && !world.open?.includes(name))
  if (asksForRoles && met.of('missingRole').length > 0 && !met.of('missingRole').includes('missing_permission')) {
    fail('missingRole', 'is nowhere denied for its role')
  }
  return failures
}

function asAnswer(outcome: Outcome): Answered | undefined {
  if (!('value' in outcome)) return undefined
  const { value } = outcome
  const isAnswer = typeof value === 'object' && value !== null && 'status' in value && 'body' in value
  return isAnswer && typeof value.status === 'number' ? (value as Answered) : undefined
}
