import type { KeyRingStatus } from '@countersign/keys'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import type { ExitCode } from '../failure.ts'
import { everyRingOf, ringOption, ringsOf } from '../key-options.ts'
import { examples } from '../usage.ts'

interface RingOptions {
  readonly ring?: string
}

interface Move {
  readonly kid: string
  readonly from: string | null
  readonly to: string
}

function moves(before: KeyRingStatus, after: KeyRingStatus): Move[] {
  const states = new Map(before.keys.map(({ kid, state }) => [kid, state]))
  return after.keys.flatMap(({ kid, state }) => {
    const from = states.get(kid) ?? null
    return from === state ? [] : [{ kid, from, to: state }]
  })
}

async function resume(context: CommandContext, options: RingOptions): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const done: { ring: string; moves: Move[] }[] = []
    for (const ring of everyRingOf(service, options.ring)) {
      const before = ring.status()
      await ring.resume()
      done.push({ ring: ring.name, moves: moves(before, ring.status()) })
    }
    context.out.result({ rings: done }, (page) => {
      for (const { ring, moves: made } of done) {
        if (made.length === 0) page.line(`${ring}: nothing was left to do`)
        for (const { kid, from, to } of made) page.line(`${ring}: ${kid} ${from ?? 'made'} -> ${to}`)
      }
    })
    return 0
  })
}

async function rewrap(context: CommandContext, options: RingOptions): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const done: { ring: string; kekId: string; rewrappedKids: readonly string[] }[] = []
    for (const ring of everyRingOf(service, options.ring)) {
      done.push({ ring: ring.name, ...(await ring.rewrap({ actor: context.operator })) })
    }
    context.out.result({ rings: done }, (page) => {
      for (const { ring, kekId, rewrappedKids } of done) {
        page.line(`${ring}: ${rewrappedKids.length} sealed anew; all private keys are under ${kekId} now`)
      }
    })
    return 0
  })
}

/** The document as it is served, whatever the output: it is for another program or a static host. */
async function exportPublic(context: CommandContext, options: RingOptions): Promise<ExitCode> {
  return await context.withService(async (service) => {
    const keys = ringsOf(service, options.ring).flatMap((ring) => [...ring.jwks.document.keys])
    context.out.result({ keys }, (page) => page.line(JSON.stringify({ keys })))
    return 0
  })
}

export function addKeysUpkeep(keys: Command, bind: Bind): void {
  const resumeCommand = keys
    .command('resume')
    .description(
      'Takes every step that is due, such as those that a crash left undone. The running service does so too.',
    )
  examples(resumeCommand, [['countersign keys resume', 'repeat it freely']])
  resumeCommand.option(...ringOption).action(bind(resume))

  const rewrapCommand = keys
    .command('rewrap')
    .description('Seals every private key anew that is not under the current key-encryption key; the keys stay.')
  examples(rewrapCommand, [['countersign keys rewrap', 'after changing the key-encryption key; repeat it freely']])
  rewrapCommand.option(...ringOption).action(bind(rewrap))

  const exportCommand = keys.command('export').description('Prints the public keys as a JWK set, as it is served.')
  examples(exportCommand, [['countersign keys export > jwks.json', 'no private part is in it']])
  exportCommand.option(...ringOption).action(bind(exportPublic))
}
