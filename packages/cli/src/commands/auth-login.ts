import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { decodeToken } from '../decode-token.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { readAll, readSecret } from '../read-secret.ts'
import { issuerToSignInTo } from '../session/choose-issuer.ts'
import { findService, type IssuerService, type SignInAnswer, signIn, signOut } from '../session/issuer-service.ts'
import type { Session } from '../session/session.ts'
import type { SessionStore } from '../session/session-store.ts'
import { withNewSessions } from '../session/with-sessions.ts'
import { fromNow } from '../times.ts'
import { examples, many } from '../usage.ts'

interface LoginOptions {
  readonly issuer?: string
  readonly client: string
  readonly identifier?: string
  readonly audience?: string
  readonly scope?: readonly string[]
}

interface Person {
  readonly identifier: string
  readonly secret: string
}

async function askWho({ io }: CommandContext, issuer: string, identifier: string | undefined): Promise<Person> {
  if (io.stdin.isTTY !== true) {
    if (identifier !== undefined) {
      return { identifier, secret: await readSecret(io, { what: 'password', message: 'Password' }) }
    }
    const [first = '', second = '', ...rest] = (await readAll(io.stdin, 'name and password')).split(/\r?\n/u)
    if (first !== '' && second !== '' && rest.length === 0) return { identifier: first, secret: second }
    throw new CliError('bad_input', 'Standard input must have two lines: the name, then the password.')
  }
  const named = identifier ?? (await askName(io, issuer))
  return { identifier: named, secret: await readSecret(io, { what: 'password', message: `Password of ${named}` }) }
}

async function askName(io: CommandContext['io'], issuer: string): Promise<string> {
  const { input } = await import('@inquirer/prompts')
  const message = `Name at ${issuer}`
  const name = (await input({ message }, { input: io.stdin, output: io.stderr })).trim()
  if (name === '') throw new CliError('bad_input', 'No name was given.')
  return name
}

async function login(context: CommandContext, options: LoginOptions): Promise<ExitCode> {
  const { io, out } = context
  return await withNewSessions<ExitCode>(context, async (store) => {
    const issuer = await issuerToSignInTo(context, options, store)
    // Before anybody types a password: it must be an address for one, and a service must answer there.
    const service = await findService(issuer, io)
    const person = await askWho(context, issuer, options.identifier)
    const answer = await signIn(service, { ...person, ...wanted(options) }, io)
    const session = sessionOf(answer, { issuer, client: options.client, identifier: person.identifier }, io.clock.now())
    if (session === undefined) {
      await endUnstored(context, service, answer)
      throw new CliError(
        'sign_in_refused',
        `The client ${options.client} gets no refresh token, so there is no session.`,
        {
          remedy:
            'Use a client whose refresh token comes in the body: `countersign clients add NAME --sign-in --refresh body`.',
        },
      )
    }
    const earlier = await keep(context, store, service, session)
    const { identifier, subject, audience, scope, accessUntil } = session
    out.result(
      { issuer, identifier, subject, session: session.id, audience, scope, accessTokenExpiresAt: accessUntil },
      (page) =>
        page.fields([
          ['signed in', identifier],
          ['issuer', issuer],
          ['audience', audience ?? ''],
          ['scopes', scope ?? ''],
          ['access token', `expires ${fromNow(accessUntil, io.clock.now())}; renewed when it is needed`],
        ]),
    )
    if (earlier !== undefined) await endEarlier(context, service, earlier)
    return 0
  })
}

function wanted({ client, audience, scope }: LoginOptions): { client: string; audience?: string; scope?: string } {
  return {
    client,
    ...(audience === undefined ? {} : { audience }),
    ...(scope === undefined ? {} : { scope: scope.join(' ') }),
  }
}

/** Undefined without a refresh token. */
function sessionOf(
  answer: SignInAnswer,
  who: Pick<Session, 'issuer' | 'client' | 'identifier'>,
  now: number,
): Session | undefined {
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: life = 0, scope = null } = answer
  if (refreshToken === undefined) return undefined
  const claims = decodeToken(accessToken).claims ?? {}
  const text = (name: string): string | null => (typeof claims[name] === 'string' ? claims[name] : null)
  const at = Math.floor(now)
  return {
    ...who,
    subject: text('sub'),
    id: text('sid'),
    audience: text('aud'),
    scope: scope ?? text('scope'),
    signedInAt: at,
    refreshToken,
    accessToken,
    accessFrom: at,
    accessUntil: at + life,
  }
}

/** @returns the session that was there before; one that cannot be read is written over */
async function keep(
  context: CommandContext,
  store: SessionStore,
  service: IssuerService,
  session: Session,
): Promise<Session | undefined> {
  try {
    return await store.exclusive(session.issuer, async () => {
      const earlier = await store.read(session.issuer).catch(() => undefined)
      await store.write(session)
      await store.setLast(session.issuer)
      return earlier
    })
  } catch (error) {
    // Otherwise a session would live on that nobody holds.
    await signOut(service, session, context.io)
    throw error
  }
}

async function endEarlier({ io, out }: CommandContext, service: IssuerService, earlier: Session): Promise<void> {
  const ended = await signOut(service, earlier, io)
  if (ended) out.note('The earlier session here was signed out.')
  else out.warning('The earlier session here could not be signed out: it goes on until it expires.')
}

async function endUnstored({ io }: CommandContext, { signOutUrl }: IssuerService, answer: SignInAnswer): Promise<void> {
  const { fetchAnswer } = await import('../fetch-answer.ts')
  await fetchAnswer(io, signOutUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${answer.access_token}`, 'content-type': 'application/json' },
    body: '{}',
  })
}

export function addLogin(auth: Command, bind: Bind): void {
  const command = auth
    .command('login')
    .description(
      'Signs you in to a token service and keeps the session, sealed, for your user of this machine. Asks for the name ' +
        'and the password; from standard input they are two lines. An earlier session at the same service is signed out.',
    )
  examples(command, [
    ['countersign auth login --issuer https://auth.example.com', 'asks for name and password'],
    ['countersign auth login', 'at the service that you signed in to last, or the one configured here'],
    ['countersign auth login --identifier ada < password.txt', 'one line from stdin'],
  ])
  command
    .option('--issuer <url>', 'the token service: https, or http on loopback')
    .option('--client <name>', 'the client that people sign in through here', 'countersign-cli')
    .option('--identifier <name>', 'your name, instead of being asked for it')
    .option('--audience <name>', 'the consumer that the token is for; not needed where the client has only one')
    .option(
      '--scope <scope>',
      'ask for these scopes only; may be given several times (default: all you may have)',
      many,
    )
    .action(bind(login))
}
