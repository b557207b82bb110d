import { type Command, Option } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import type { AccessToken } from '../session/access-token.ts'
import { type AtIssuer, chosenIssuer, issuerOption } from '../session/choose-issuer.ts'
import type { SessionStore } from '../session/session-store.ts'
import { withSessions } from '../session/with-sessions.ts'
import { fromNow } from '../times.ts'
import { duration, examples } from '../usage.ts'
import { addLogin } from './auth-login.ts'
import { addLogout } from './auth-logout.ts'
import { addStatus } from './auth-status.ts'

const patienceMs = 10_000

/** @throws CliError `not_signed_in` */
async function withIssuer(
  context: CommandContext,
  options: AtIssuer,
  work: (store: SessionStore, issuer: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  return await withSessions(context, async (store) => {
    const issuer = await chosenIssuer(context, options, store)
    if (store !== undefined && issuer !== undefined) return await work(store, issuer)
    const several = store !== undefined && (await store.issuers()).length > 0
    throw new CliError('not_signed_in', several ? 'There are several sessions here.' : 'Nobody is signed in here.', {
      ...(several ? { remedy: 'Name one with --issuer; `countersign auth status` lists them.' } : {}),
    })
  })
}

function printToken({ io, out }: CommandContext, { session, outage }: AccessToken): ExitCode {
  const { issuer, accessUntil: expiresAt, audience, scope } = session
  out.result({ accessToken: session.accessToken, tokenType: 'Bearer', expiresAt, audience, scope, issuer }, (page) =>
    page.line(session.accessToken),
  )
  if (outage) {
    out.warning(
      `${issuer} could not be reached: this is the last token, which expires ${fromNow(expiresAt, io.clock.now())}.`,
    )
  }
  return 0
}

interface TokenOptions extends AtIssuer {
  readonly validFor: number
}

async function token(context: CommandContext, options: TokenOptions): Promise<ExitCode> {
  return await withIssuer(context, options, async (store, issuer) => {
    // Loaded when needed, with all that speaks OAuth.
    const { accessTokenOf } = await import('../session/access-token.ts')
    const limits = { leastSeconds: options.validFor, patienceMs }
    return printToken(context, await accessTokenOf(store, issuer, context.io, limits))
  })
}

async function refresh(context: CommandContext, options: AtIssuer): Promise<ExitCode> {
  return await withIssuer(context, options, async (store, issuer) => {
    const { accessTokenOf } = await import('../session/access-token.ts')
    const limits = { leastSeconds: Number.POSITIVE_INFINITY, patienceMs }
    const { session } = await accessTokenOf(store, issuer, context.io, limits)
    const { identifier, accessUntil, audience, scope } = session
    context.out.result({ issuer, identifier, audience, scope, accessTokenExpiresAt: accessUntil }, (page) =>
      page.line(`renewed: the access token of ${identifier} expires ${fromNow(accessUntil, context.io.clock.now())}`),
    )
    return 0
  })
}

const longestValidFor = 86_400

export function addAuth(program: Command, bind: Bind): void {
  const auth = program
    .command('auth')
    .description('Your own session on this machine: its tokens rest sealed, for your user alone.')
  addLogin(auth, bind)
  addStatus(auth, bind)

  const tokenCommand = auth
    .command('token')
    .description('Prints your access token and nothing else, refreshed first where it has too little life left.')
  examples(tokenCommand, [
    ['curl -H @<(printf "Authorization: Bearer %s" "$(countersign auth token)") URL', 'in no argument of a process'],
    ['countersign auth token | countersign explain', ''],
    ['countersign auth token --valid-for 5m', 'for a longer job'],
  ])
  tokenCommand
    .option(...issuerOption)
    .addOption(
      new Option('--valid-for <time>', 'life that it must still have; half of its life if that is less')
        .argParser(duration(longestValidFor))
        .default(60, '60s'),
    )
    .action(bind(token))

  const refreshCommand = auth
    .command('refresh')
    .description('Gets a new access token now, whatever the old one has left.')
  examples(refreshCommand, [['countersign auth refresh', 'after your rights have changed']])
  refreshCommand.option(...issuerOption).action(bind(refresh))

  addLogout(auth, bind)
}
