import type { SessionInfo } from '@countersign/issuer'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { reasonOption } from '../key-options.ts'
import type { Page } from '../output.ts'
import type { Cell } from '../table.ts'
import { instant } from '../times.ts'
import { examples, wholeNumber } from '../usage.ts'

function stateOf(session: SessionInfo, now: number): Cell {
  if (session.endedAt !== null) {
    return { text: `ended ${instant(session.endedAt)} (${session.endReason ?? 'unknown'})`, tone: 'bad' }
  }
  return session.expiresAt > now ? { text: 'open', tone: 'good' } : { text: 'expired', tone: 'faint' }
}

function writeSessions(page: Page, sessions: readonly SessionInfo[], now: number): void {
  const rows = sessions.map((session): Cell[] => [
    session.id,
    session.clientId,
    session.audience,
    session.scope,
    instant(session.createdAt),
    stateOf(session, now),
  ])
  page.table(['session', 'client', 'audience', 'scope', 'signed in', 'state'], rows, 'There are no sessions.')
}

async function list(context: CommandContext, user: string, options: { limit: number }): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const sessions = await issuer.sessions.list(user, { limit: options.limit })
    context.out.result({ user, sessions }, (page) => writeSessions(page, sessions, context.io.clock.now()))
    return 0
  })
}

async function revoke(context: CommandContext, id: string, { reason }: { reason?: string }): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const why = reason === undefined ? {} : { reason }
    const revoked = await issuer.sessions.revoke(id, { actor: context.operator, ...why })
    if (!revoked) {
      throw new CliError('not_found', 'There is no open session by that id.', {
        remedy: '`countersign sessions list USER` shows them; one that has ended needs no revoking.',
      })
    }
    context.out.result({ session: id, revoked: true }, (page) =>
      page.line(`${id} has ended; every token of it is refused from now on`),
    )
    return 0
  })
}

export function addSessions(program: Command, bind: Bind): void {
  const sessions = program.command('sessions').description('Sign-ins and all that came of them.')

  const listCommand = sessions
    .command('list')
    .description('The sessions of a user, the newest first, whether open or ended.')
    .argument('<user>', 'what they type to sign in')
  examples(listCommand, [
    ['countersign sessions list ada', 'a table'],
    ['countersign sessions list ada --json', 'for programs'],
  ])
  listCommand.option('--limit <count>', 'at most so many, 1 to 1000', wholeNumber(1, 1_000), 100).action(bind(list))

  const revokeCommand = sessions
    .command('revoke')
    .description('Ends a session: its refresh tokens, and every access token that came of it, at every verifier.')
    .argument('<sid>', 'the whole id, from `sessions list` or the `sid` of a token')
  examples(revokeCommand, [
    ['countersign sessions revoke SID', ''],
    ["countersign sessions revoke SID --reason 'ticket 4711'", 'recorded'],
  ])
  revokeCommand.option(...reasonOption).action(bind(revoke))
}
