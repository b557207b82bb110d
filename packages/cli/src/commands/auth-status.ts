import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { type ExitCode, isCliError } from '../failure.ts'
import { type AtIssuer, chosenIssuer, issuerOption } from '../session/choose-issuer.ts'
import { askStatus, findService, type SignInState } from '../session/issuer-service.ts'
import type { Session } from '../session/session.ts'
import type { SessionStore } from '../session/session-store.ts'
import { withSessions } from '../session/with-sessions.ts'
import type { Tone } from '../table.ts'
import { fromNow, instant } from '../times.ts'
import { examples } from '../usage.ts'

/** Somebody who asks how things are is told soon. */
const patienceMs = 2_000

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
    const { accessTokenOf } = await import('../session/access-token.ts')
    const given = await accessTokenOf(store, found.issuer, io, { leastSeconds: 1, patienceMs })
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

export function addStatus(auth: Command, bind: Bind): void {
  const command = auth
    .command('status')
    .description(
      'Who is signed in, where and until when, as the service says. Exit code 0: somebody is. 1: nobody, or it cannot ' +
        'be told: the service does not answer and the last token has expired.',
    )
  examples(command, [
    ['countersign auth status', ''],
    ['countersign auth status > /dev/null || countersign auth login', 'for scripts'],
  ])
  command.option(...issuerOption).action(bind(status))
}
