import type { KeyRing, KeyRingStatus, KeyStatus, RotateOutcome } from '@countersign/keys'
import type { TokenServiceParts } from '@countersign/server'
import { type Command, InvalidArgumentError } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import type { Page } from '../output.ts'
import type { Cell, Tone } from '../table.ts'
import { age, fromNow, instant } from '../times.ts'
import { examples, wholeNumber } from '../usage.ts'

const tones: Readonly<Record<KeyStatus['state'], Tone>> = {
  pending: 'faint',
  published: 'plain',
  active: 'good',
  retiring: 'warning',
  retired: 'faint',
  revoked: 'bad',
}

/** Age at which the scheduler should have replaced the active key long ago; it must not pass 30 days. */
const warnAgeDays = 28

function ringsOf(service: TokenServiceParts, name: string | undefined): readonly KeyRing[] {
  if (name === undefined) return service.rings
  const found = service.rings.filter((ring) => ring.name === name)
  if (found.length > 0) return found
  const names = service.rings.map((ring) => ring.name).join(', ')
  throw new CliError('not_found', `There is no key ring "${name}".`, { remedy: `The rings are: ${names}.` })
}

function nextStep(key: KeyStatus, now: number): string {
  if (key.next === null) return ''
  const when = key.next.at === null ? 'on command' : fromNow(key.next.at, now)
  const waiting = key.next.waitingFor.length === 0 ? '' : `, waits for ${key.next.waitingFor.join(', ')}`
  return `${key.next.transition} ${when}${waiting}`
}

/** When a key last changed its state. */
function since(key: KeyStatus): number {
  return key.revokedAt ?? key.retiredAt ?? key.retiringAt ?? key.activatedAt ?? key.publishedAt ?? key.createdAt
}

function writeList(page: Page, rings: readonly KeyRingStatus[], now: number): void {
  const rows = rings.flatMap((ring) =>
    ring.keys.map((key): Cell[] => [
      ring.name,
      ring.algorithm,
      key.kid,
      { text: key.state, tone: tones[key.state] },
      fromNow(since(key), now),
      nextStep(key, now),
    ]),
  )
  page.table(['ring', 'alg', 'kid', 'state', 'since', 'next'], rows, 'There are no keys.')
}

function writeStatus(page: Page, rings: readonly KeyRingStatus[], now: number): void {
  for (const [index, ring] of rings.entries()) {
    if (index > 0) page.line('')
    const active = ring.keys.find((key) => key.kid === ring.activeKid)
    const standby = ring.keys.find((key) => key.state === 'published' || key.state === 'pending')
    const seconds = active?.activatedAt == null ? undefined : now - active.activatedAt
    const old = seconds !== undefined && seconds > warnAgeDays * 86_400
    const retiring = ring.keys.filter((key) => key.state === 'retiring')
    page.fields([
      ['ring', { text: `${ring.name} (${ring.algorithm}, version ${ring.version})`, tone: 'strong' }],
      ['active', active === undefined ? { text: 'none: nothing can be signed', tone: 'bad' } : active.kid],
      ['signs since', active === undefined ? '' : instant(active.activatedAt)],
      ['age', seconds === undefined ? '' : { text: age(seconds), tone: old ? 'warning' : 'plain' }],
      ['standby', standby === undefined ? 'none; `countersign keys rotate` publishes one' : standby.kid],
      ['activation', standby === undefined ? '' : nextStep(standby, now)],
      ['retiring', retiring.map((key) => `${key.kid} (${nextStep(key, now)})`).join(', ')],
    ])
  }
}

async function list(context: CommandContext, options: { ring?: string }): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const rings = ringsOf(service, options.ring).map((ring) => ring.status())
    context.out.result({ rings }, (page) => writeList(page, rings, context.io.clock.now()))
    return 0
  })
}

interface StatusOptions {
  readonly ring?: string
  readonly watch?: boolean
  readonly interval: number
}

async function status(context: CommandContext, options: StatusOptions): Promise<ExitCode> {
  const { io, out } = context
  if (options.watch && out.json) {
    throw new CliError('wrong_usage', '--watch and --json exclude each other: --json prints one document.')
  }
  return await context.withService(async (service) => {
    const rings = ringsOf(service, options.ring)
    const print = (): void => {
      const found = rings.map((ring) => ring.status())
      out.result({ rings: found }, (page) => writeStatus(page, found, io.clock.now()))
    }
    print()
    if (!options.watch) return 0
    let stopped = false
    let wake = (): void => {}
    const ignore = io.onStop(() => {
      stopped = true
      wake()
    })
    // The clock's timers do not hold a process open; the wish to watch does.
    const hold = setInterval(() => {}, 60_000)
    try {
      while (!stopped) {
        await new Promise<void>((resolve) => {
          const cancel = io.clock.after(options.interval * 1000, resolve)
          wake = () => {
            cancel()
            resolve()
          }
        })
        if (stopped) break
        for (const ring of rings) await ring.refresh()
        io.stdout.write(io.stdout.isTTY === true ? '\u001b[2J\u001b[H' : '\n')
        print()
      }
    } finally {
      clearInterval(hold)
      ignore()
    }
    return 0
  })
}

type Planned = { readonly ring: string } & (
  | { readonly would: 'publish' }
  | { readonly would: 'activate'; readonly kid: string }
  | {
      readonly would: 'wait'
      readonly kid: string
      readonly activatesAt: number | null
      readonly waitingFor: readonly string[]
    }
)

/** What `rotate` would do now, read from the status: it changes nothing. */
export function planRotation(ring: KeyRingStatus, now: number): Planned {
  const standby = ring.keys.find((key) => key.state === 'published')
  if (standby === undefined) return { ring: ring.name, would: 'publish' }
  const at = standby.next?.at ?? null
  const waitingFor = standby.next?.waitingFor ?? []
  if (at !== null && at <= now && waitingFor.length === 0) {
    return { ring: ring.name, would: 'activate', kid: standby.kid }
  }
  return { ring: ring.name, would: 'wait', kid: standby.kid, activatesAt: at, waitingFor }
}

function sayPlan(plan: Planned, now: number): string {
  if (plan.would === 'publish') return `${plan.ring}: would publish a new key`
  if (plan.would === 'activate') return `${plan.ring}: would activate ${plan.kid}`
  const when = plan.activatesAt === null ? 'on command' : fromNow(plan.activatesAt, now)
  const waiting = plan.waitingFor.length === 0 ? '' : `; waits for ${plan.waitingFor.join(', ')}`
  return `${plan.ring}: ${plan.kid} is published already; activates ${when}${waiting}`
}

function sayOutcome(ring: string, outcome: RotateOutcome, now: number): string {
  if (outcome.done)
    return `${ring}: ${outcome.activeKid} signs now; ${outcome.previousKid} verifies until it is withdrawn`
  const waiting = outcome.waitingFor.length === 0 ? '' : `; waits for ${outcome.waitingFor.join(', ')}`
  return `${ring}: ${outcome.standbyKid} published; activates ${fromNow(outcome.activatesAt, now)}${waiting}`
}

/** All rings in one answer: done when each is, and the last instant and everything that is waited for when not. */
function rotationDocument(outcomes: readonly ({ readonly ring: string } & RotateOutcome)[]): object {
  const waiting = outcomes.filter((outcome) => !outcome.done)
  const [only] = outcomes.length === 1 ? outcomes : []
  return {
    dryRun: false,
    done: waiting.length === 0,
    activeKid: only?.done ? only.activeKid : null,
    activatesAt: waiting.length === 0 ? null : Math.max(...waiting.map((outcome) => outcome.activatesAt)),
    waitingFor: [...new Set(waiting.flatMap((outcome) => outcome.waitingFor))],
    rings: outcomes,
  }
}

async function rotate(context: CommandContext, options: { ring?: string; dryRun?: boolean }): Promise<ExitCode> {
  const { io, out } = context
  return await context.withService(async (service) => {
    const rings = ringsOf(service, options.ring)
    if (options.dryRun) {
      const plans = rings.map((ring) => planRotation(ring.status(), io.clock.now()))
      out.result({ dryRun: true, rings: plans }, (page) => {
        for (const plan of plans) page.line(sayPlan(plan, io.clock.now()))
      })
      return 0
    }
    const outcomes: ({ ring: string } & RotateOutcome)[] = []
    for (const ring of rings) {
      outcomes.push({ ring: ring.name, ...(await ring.rotate({ actor: context.operator })) })
    }
    out.result(rotationDocument(outcomes), (page) => {
      for (const outcome of outcomes) page.line(sayOutcome(outcome.ring, outcome, io.clock.now()))
    })
    return 0
  })
}

async function activate(context: CommandContext, kid: string): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const ring = service.rings.find((candidate) => candidate.status().keys.some((key) => key.kid === kid))
    if (ring === undefined) {
      throw new CliError('not_found', 'No key ring has a key by that id.', {
        remedy: '`countersign keys list` shows the keys; give the whole kid.',
      })
    }
    await ring.activate(kid, { actor: context.operator })
    context.out.result({ ring: ring.name, activeKid: kid }, (page) => page.line(`${ring.name}: ${kid} signs now`))
    return 0
  })
}

/** RFC 7638 thumbprints: 43 base64url characters. */
function kidArgument(value: string): string {
  if (!/^[\w-]{43}$/u.test(value)) throw new InvalidArgumentError('A kid has 43 base64url characters.')
  return value
}

const ringOption = ['--ring <name>', 'only this key ring'] as const

export function addKeys(program: Command, bind: Bind): void {
  const keys = program.command('keys').description('The signing keys.')

  const listCommand = keys.command('list').description('All keys: their states, ages and what happens next.')
  examples(listCommand, [
    ['countersign keys list', 'a table'],
    ['countersign keys list --json', 'for programs'],
  ])
  listCommand.option(...ringOption).action(bind(list))

  const statusCommand = keys.command('status').description('Which key signs, for how long, and which one is next.')
  examples(statusCommand, [['countersign keys status --watch', 'until Ctrl-C']])
  statusCommand
    .option(...ringOption)
    .option('--watch', 'print it again and again')
    .option('--interval <seconds>', 'how often with --watch, 1 to 3600', wholeNumber(1, 3600), 2)
    .action(bind(status))

  const rotateCommand = keys
    .command('rotate')
    .description(
      'Makes sure that there is a next key, and activates it if every verifier has had the time to fetch it.\n' +
        'Otherwise says when: run it again then, or let the running service do it. Both are success.',
    )
  examples(rotateCommand, [
    ['countersign keys rotate', 'publish, or activate what is published'],
    ['countersign keys rotate --dry-run', 'say what it would do, change nothing'],
  ])
  rotateCommand
    .option(...ringOption)
    .option('--dry-run', 'change nothing')
    .action(bind(rotate))

  const activateCommand = keys
    .command('activate')
    .description('Lets a published key sign now; refused before every verifier has had the time to fetch it.')
    .argument('<kid>', 'the whole id, from `keys list`', kidArgument)
  examples(activateCommand, [['countersign keys activate KID', '']])
  activateCommand.action(bind(activate))
}
