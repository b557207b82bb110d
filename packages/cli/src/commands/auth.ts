import { type Command, Option } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode, isCliError } from '../failure.ts'
import type { AccessToken, AccessTokenOptions } from '../session/access-token.ts'
import { chosenIssuer } from '../session/choose-issuer.ts'
import { askStatus, findService, type SignInState, signOut } from '../session/issuer-service.ts'
import type { Session } from '../session/session.ts'
import type { SessionStore } from '../session/session-store.ts'
import { withSessions } from '../session/with-sessions.ts'
import type { Tone } from '../table.ts'
import { fromNow, instant } from '../times.ts'
import { duration, examples } from '../usage.ts'
import { addLogin } from './auth-login.ts'

interface AtIssuer {
  readonly issuer?: string
}

const patienceMs = 10_000
/** Somebody who asks how things are is told soon. */
const statusPatienceMs = 2_000

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

/** Loaded when needed, with all that speaks OAuth. */
async function accessToken(
  store: SessionStore,
  issuer: string,
  io: CommandContext['io'],
  options: AccessTokenOptions,
): Promise<AccessToken> {
  const { accessTokenOf } = await import('../session/access-token.ts')
  return await accessTokenOf(store, issuer, io, options)
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
    const limits = { leastSeconds: options.validFor, patienceMs }
    return printToken(context, await accessToken(store, issuer, context.io, limits))
  })
}

async function refresh(context: CommandContext, options: AtIssuer): Promise<ExitCode> {
  return await withIssuer(context, options, async (store, issuer) => {
    const limits = { leastSeconds: Number.POSITIVE_INFINITY, patienceMs }
    const { session } = await accessToken(store, issuer, context.io, limits)
    const { identifier, accessUntil, audience, scope } = session
    context.out.result({ issuer, identifier, audience, scope, accessTokenExpiresAt: accessUntil }, (page) =>
      page.line(`renewed: the access token of ${identifier} expires ${fromNow(accessUntil, context.io.clock.now())}`),
    )
    return 0
  })
}

const told: Readonly<Record<SignInState, readonly [text: string, tone: Tone]>> = {
  'signed-in': ['signed in', 'good'],
  'signed-out': ['nobody is signed in', 'plain'],
  degraded: ['signed in; the service could not be asked, and the last token is still good', 'warning'],
  unavailable: ['unknown: the service could not be asked', 'bad'],
}

/** What is true of a session now; asks its service, and refreshes where the last token has expired. */
async function stateOf(store: SessionStore, found: Session, io: CommandContext['io']): Promise<[SignInState, Session]> {
  const lives = ({ accessUntil }: Session): boolean => accessUntil > io.clock.now()
  let session = found
  try {
    const limits = { leastSeconds: 1, patienceMs: statusPatienceMs }
    const given = await accessToken(store, found.issuer, io, limits)
    session = given.session
    const state = given.outage
      ? 'unavailable'
      : await askStatus(await findService(found.issuer, io), session.accessToken, io)
    return [state === 'unavailable' && lives(session) ? 'degraded' : state, session]
  } catch (error) {
    if (!isCliError(error)) throw error
    if (error.code === 'session_ended' || error.code === 'not_signed_in') return ['signed-out', session]
    if (error.code === 'unreachable') return [lives(session) ? 'degraded' : 'unavailable', session]
    throw error
  }
}

async function status(context: CommandContext, options: AtIssuer): Promise<ExitCode> {
  const { io, out } = context
  return await withSessions(context, async (store) => {
    const issuer = await chosenIssuer(context, options, store)
    const found = issuer === undefined ? undefined : await store?.read(issuer)
    const others = ((await store?.issuers()) ?? []).filter((one) => one !== issuer)
    const known = store !== undefined && found !== undefined
    const [state, session] = known ? await stateOf(store, found, io) : (['signed-out', undefined] as const)
    const who = state === 'signed-out' ? undefined : session
    const document = {
      state,
      issuer: issuer ?? null,
      identifier: who?.identifier ?? null,
      subject: who?.subject ?? null,
      session: who?.id ?? null,
      client: who?.client ?? null,
      audience: who?.audience ?? null,
      scope: who?.scope ?? null,
      signedInAt: who?.signedInAt ?? null,
      accessTokenExpiresAt: who?.accessUntil ?? null,
      otherIssuers: others,
    }
    out.result(document, (page) => {
      const [text, tone] = told[state]
      page.fields([
        ['state', { text: known && state === 'signed-out' ? 'the session has ended' : text, tone }],
        ...(issuer === undefined ? [] : [['issuer', issuer] as const]),
        ...(who === undefined ? [] : whoFields(who, io.clock.now())),
        ...(others.length === 0 ? [] : [['sessions elsewhere', others.join(' ')] as const]),
      ])
    })
    if (state === 'signed-out') out.note('`countersign auth login` signs you in.')
    return state === 'signed-in' || state === 'degraded' ? 0 : 1
  })
}

function whoFields(session: Session, now: number): (readonly [string, string])[] {
  const { identifier, subject, audience, scope, signedInAt, accessUntil } = session
  const until = accessUntil > now ? 'expires' : 'expired'
  return [
    ['name', subject === null ? identifier : `${identifier} (${subject})`],
    ['audience', audience ?? ''],
    ['scopes', scope ?? ''],
    ['since', instant(signedInAt)],
    ['access token', `${until} ${fromNow(accessUntil, now)}; renewed when it is needed`],
  ]
}

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

const issuerOption = ['--issuer <url>', 'the token service (default: the one that you signed in to last)'] as const
const longestValidFor = 86_400

export function addAuth(program: Command, bind: Bind): void {
  const auth = program
    .command('auth')
    .description('Your own session on this machine: its tokens rest sealed, for your user alone.')
  addLogin(auth, bind)

  const statusCommand = auth
    .command('status')
    .description(
      'Who is signed in, where and until when, as the service says. Exit code 0: somebody is. 1: nobody, or it cannot ' +
        'be told: the service does not answer and the last token has expired.',
    )
  examples(statusCommand, [
    ['countersign auth status', ''],
    ['countersign auth status > /dev/null || countersign auth login', 'for scripts'],
  ])
  statusCommand.option(...issuerOption).action(bind(status))

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

  const logoutCommand = auth
    .command('logout')
    .description(
      'Ends your session at the service, with every token of it, and deletes it here. If the service cannot be told it is ' +
        'deleted here all the same; that is said, and the exit code is 1.',
    )
  examples(logoutCommand, [
    ['countersign auth logout', ''],
    ['countersign auth logout --all', 'at every service'],
  ])
  logoutCommand
    .option(...issuerOption)
    .option('--all', 'every session that is kept here')
    .action(bind(logout))
}
