import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode, isCliError } from '../failure.ts'
import { type AtIssuer, chosenIssuer, issuerOption } from '../session/choose-issuer.ts'
import { findService, signOut } from '../session/issuer-service.ts'
import type { Session } from '../session/session.ts'
import type { SessionStore } from '../session/session-store.ts'
import { withSessions } from '../session/with-sessions.ts'
import { examples } from '../usage.ts'

interface LogoutOptions extends AtIssuer {
  readonly all?: boolean
}

interface Ended {
  readonly issuer: string
  /** Whether the service has revoked it; false: it could not be told, or the record here could not be read. */
  readonly revoked: boolean
}

/** The service first, so that being cut off here leaves nothing but a session that has ended. */
async function endSession(store: SessionStore, issuer: string, io: CommandContext['io']): Promise<Ended | undefined> {
  return await store.exclusive(issuer, async () => {
    const session = await store.read(issuer).catch(() => null)
    if (session === undefined) return undefined
    const revoked = session !== null && (await revoke(session, io))
    await store.remove(issuer)
    return { issuer, revoked }
  })
}

async function revoke(session: Session, io: CommandContext['io']): Promise<boolean> {
  try {
    return await signOut(await findService(session.issuer, io), session, io)
  } catch (error) {
    if (isCliError(error)) return false
    throw error
  }
}

async function logout(context: CommandContext, options: LogoutOptions): Promise<ExitCode> {
  const { io, out } = context
  return await withSessions(context, async (store) => {
    const chosen = await chosenIssuer(context, options, store)
    const issuers = options.all === true ? ((await store?.issuers()) ?? []) : chosen === undefined ? [] : [chosen]
    const several = options.all !== true && chosen === undefined && ((await store?.issuers()) ?? []).length > 0
    if (several) {
      throw new CliError('not_signed_in', 'There are several sessions here.', {
        remedy: 'Name one with --issuer, or end them all with --all.',
      })
    }
    const ended: Ended[] = []
    for (const issuer of issuers) {
      const one = store === undefined ? undefined : await endSession(store, issuer, io)
      if (one !== undefined) ended.push(one)
    }
    out.result({ ended }, (page) => {
      if (ended.length === 0) page.line('nobody was signed in')
      for (const { issuer, revoked } of ended) {
        page.line(revoked ? `signed out of ${issuer}` : `the session at ${issuer} was deleted here`)
      }
    })
    const alive = ended.filter(({ revoked }) => !revoked)
    for (const { issuer } of alive) {
      out.warning(
        `${issuer} could not be told: nothing is left here, but the session goes on there until it expires or ` +
          '`countersign sessions revoke` ends it.',
      )
    }
    return alive.length === 0 ? 0 : 1
  })
}

export function addLogout(auth: Command, bind: Bind): void {
  const command = auth
    .command('logout')
    .description(
      'Ends your session at the service, with every token of it, and deletes it here. If the service cannot be told it is ' +
        'deleted here all the same; that is said, and the exit code is 1.',
    )
  examples(command, [
    ['countersign auth logout', ''],
    ['countersign auth logout --all', 'at every service'],
  ])
  command
    .option(...issuerOption)
    .option('--all', 'every session that is kept here')
    .action(bind(logout))
}
