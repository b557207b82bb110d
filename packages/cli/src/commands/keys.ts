import type { RotateOutcome } from '@countersign/keys'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { kidArgument, type OverrideOptions, overrides, reasonOption, ringOption, ringsOf } from '../key-options.ts'
import { writeAcknowledged, writeList, writeStatus } from '../keys-page.ts'
import { planRotation, rotationDocument, sayOutcome, sayPlan } from '../rotation-plan.ts'
import { examples, wholeNumber } from '../usage.ts'
import { addKeysRevoke } from './keys-revoke.ts'
import { addKeysUpkeep } from './keys-upkeep.ts'

async function list(context: CommandContext, options: { ring?: string }): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const rings = ringsOf(service, options.ring)
    context.out.result({ rings: rings.map((ring) => ring.status()) }, (page) =>
      writeList(page, rings, context.io.clock.now()),
    )
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
    for (const ring of rings) await ring.confirm()
    const print = async (): Promise<void> => {
      const acknowledged = await service.issuer.acknowledgements()
      out.result({ rings: rings.map((ring) => ring.status()), acknowledged }, (page) => {
        writeStatus(page, rings, io.clock.now())
        writeAcknowledged(page, acknowledged, rings, io.clock.now())
      })
    }
    await print()
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
        for (const ring of rings) await ring.refresh().then(() => ring.confirm())
        io.stdout.write(io.stdout.isTTY === true ? '\u001b[2J\u001b[H' : '\n')
        await print()
      }
    } finally {
      clearInterval(hold)
      ignore()
    }
    return 0
  })
}

interface RotateOptions extends OverrideOptions {
  readonly ring?: string
  readonly dryRun?: boolean
}

async function rotate(context: CommandContext, options: RotateOptions): Promise<ExitCode> {
  const { io, out } = context
  const overriding = overrides(options)
  return await context.withService(async (service) => {
    const rings = ringsOf(service, options.ring)
    if (options.dryRun) {
      for (const ring of rings) await ring.confirm()
      const plans = rings.map((ring) => planRotation(ring.status(), io.clock.now(), options.emergency === true))
      out.result({ dryRun: true, rings: plans }, (page) => {
        for (const plan of plans) page.line(sayPlan(plan, io.clock.now()))
      })
      return 0
    }
    const outcomes: ({ ring: string } & RotateOutcome)[] = []
    for (const ring of rings) {
      outcomes.push({ ring: ring.name, ...(await ring.rotate({ actor: context.operator, ...overriding })) })
    }
    out.result(rotationDocument(outcomes), (page) => {
      for (const outcome of outcomes) page.line(sayOutcome(outcome.ring, outcome, io.clock.now()))
    })
    return 0
  })
}

async function activate(context: CommandContext, kid: string, options: OverrideOptions): Promise<ExitCode> {
  const overriding = overrides(options)
  return await context.withService(async (service) => {
    const ring = service.rings.find((candidate) => candidate.status().keys.some((key) => key.kid === kid))
    if (ring === undefined) {
      throw new CliError('not_found', 'No key ring has a key by that id.', {
        remedy: '`countersign keys list` shows the keys; give the whole kid.',
      })
    }
    await ring.activate(kid, { actor: context.operator, ...overriding })
    context.out.result({ ring: ring.name, activeKid: kid }, (page) => page.line(`${ring.name}: ${kid} signs now`))
    return 0
  })
}

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
    ["countersign keys rotate --emergency --reason 'INC-42'", 'although a blackout holds'],
  ])
  rotateCommand
    .option(...ringOption)
    .option('--dry-run', 'change nothing')
    .option('--emergency', 'go ahead although a blackout holds')
    .option(...reasonOption)
    .action(bind(rotate))

  const activateCommand = keys
    .command('activate')
    .description('Lets a published key sign now; refused before every verifier has had the time to fetch it.')
    .argument('<kid>', 'the whole id, from `keys list`', kidArgument)
  examples(activateCommand, [
    ['countersign keys activate KID', ''],
    ["countersign keys activate KID --force --reason 'INC-42'", 'some verifiers will refuse its tokens'],
  ])
  activateCommand
    .option('--emergency', 'go ahead although a blackout holds')
    .option('--force', 'do not wait for caches and consumers: some will refuse the new tokens')
    .option(...reasonOption)
    .action(bind(activate))
  addKeysRevoke(keys, bind)
  addKeysUpkeep(keys, bind)
}
