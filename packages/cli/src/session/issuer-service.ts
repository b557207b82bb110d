import { z } from 'zod'
import { CliError } from '../failure.ts'
import { type Answer, fetchAnswer, type Sent } from '../fetch-answer.ts'
import type { CliIo } from '../io.ts'
import { readMetadata } from '../issuer-metadata.ts'
import { wait } from '../times.ts'

/** Where a token service takes what is a person's own. */
export interface IssuerService {
  readonly issuer: string
  readonly signInUrl: string
  readonly signOutUrl: string
  readonly statusUrl: string
}

const shape = z.looseObject({
  countersign_sign_in_endpoint: z.url(),
  countersign_sign_out_endpoint: z.url(),
  countersign_status_endpoint: z.url(),
})

/** Hashing a password takes its time, and a busy service makes sign-ins wait. */
const signInMs = 15_000
const askMs = 5_000

/**
 * Finds a service before anybody types a password.
 * @throws CliError `address_unusable`, `unreachable`
 */
export async function findService(issuer: string, io: Pick<CliIo, 'fetch'>): Promise<IssuerService> {
  const remedy = 'Check the URL, and that a token service of Countersign runs there.'
  const found = await readMetadata(issuer, io, { shape, remedy })
  const service = {
    issuer,
    signInUrl: found.countersign_sign_in_endpoint,
    signOutUrl: found.countersign_sign_out_endpoint,
    statusUrl: found.countersign_status_endpoint,
  }
  const { origin } = new URL(issuer)
  const elsewhere = [service.signInUrl, service.signOutUrl, service.statusUrl].some(
    (url) => new URL(url).origin !== origin,
  )
  if (elsewhere) {
    throw new CliError('address_unusable', 'The metadata would send passwords to another origin than the issuer’s.', {
      remedy: 'Ask whoever runs the service: it answers at its issuer.',
    })
  }
  return service
}

export interface SignInRequest {
  readonly identifier: string
  readonly secret: string
  readonly client: string
  readonly audience?: string
  readonly scope?: string
}

export interface SignInAnswer {
  readonly access_token: string
  readonly refresh_token?: string | undefined
  readonly expires_in?: number | undefined
  readonly scope?: string | undefined
}

const answerShape = z.looseObject({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/iu),
  refresh_token: z.string().min(1).optional(),
  expires_in: z.number().nonnegative().optional(),
  scope: z.string().optional(),
})

/** @throws CliError `sign_in_refused`, `throttled`, `unreachable` */
export async function signIn(
  service: IssuerService,
  { client, ...request }: SignInRequest,
  io: Pick<CliIo, 'fetch'>,
): Promise<SignInAnswer> {
  const sent = postOf({ ...request, client_id: client }, signInMs)
  const answer = await fetchAnswer(io, service.signInUrl, sent)
  if (answer.kind !== 'answered') throw new CliError('unreachable', `${service.issuer} did not answer the sign-in.`)
  if (answer.status === 200) {
    const parsed = answerShape.safeParse(jsonOf(answer))
    if (parsed.success) return parsed.data
    throw new CliError('unreachable', `${service.issuer} answered the sign-in with something else than tokens.`)
  }
  throw refusalOf(answer, request.secret, service.issuer)
}

/** Ends the session of a refresh token at its service. @returns whether the service said so */
export async function signOut(
  service: IssuerService,
  { client, refreshToken }: { readonly client: string; readonly refreshToken: string },
  io: Pick<CliIo, 'fetch'>,
): Promise<boolean> {
  const sent = postOf({ refresh_token: refreshToken, client_id: client }, askMs)
  const answer = await fetchAnswer(io, service.signOutUrl, sent)
  return answer.kind === 'answered' && answer.status === 200
}

export type SignInState = 'signed-in' | 'signed-out' | 'degraded' | 'unavailable'

const statusShape = z.looseObject({ state: z.enum(['signed-in', 'signed-out', 'degraded', 'unavailable']) })

/** What the service says of an access token; `unavailable` when it says nothing. */
export async function askStatus(
  service: IssuerService,
  accessToken: string,
  io: Pick<CliIo, 'fetch'>,
): Promise<SignInState> {
  const headers = { authorization: `Bearer ${accessToken}` }
  const answer = await fetchAnswer(io, service.statusUrl, { headers, timeoutMs: askMs })
  const parsed = answer.kind === 'answered' ? statusShape.safeParse(jsonOf(answer)) : undefined
  return parsed?.data?.state ?? 'unavailable'
}

function postOf(body: object, timeoutMs: number): Sent {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), timeoutMs }
}

function jsonOf({ text }: { readonly text: string | undefined }): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}

const errorShape = z.looseObject({ error: z.string().max(64), error_description: z.string().max(500).optional() })

const remedies: Readonly<Record<string, string>> = {
  invalid_target: 'Name one consumer with --audience; `countersign consumers check` lists them.',
  invalid_scope: 'Ask for fewer scopes with --scope.',
  invalid_client: 'Name a client for signing in with --client; `countersign clients add NAME --sign-in` makes one.',
  unauthorized_client:
    'Name a client for signing in with --client; `countersign clients add NAME --sign-in` makes one.',
}

function refusalOf(answer: Extract<Answer, { kind: 'answered' }>, secret: string, issuer: string): CliError {
  const { status, headers } = answer
  if (status === 429) {
    const seconds = Number(headers.get('retry-after') ?? Number.NaN)
    const until = Number.isFinite(seconds) && seconds > 0 ? ` Wait ${wait(seconds)}.` : ''
    return new CliError('throttled', `There were too many tries.${until}`)
  }
  const parsed = errorShape.safeParse(jsonOf(answer))
  if (!parsed.success) return new CliError('unreachable', `${issuer} answered the sign-in with ${status}.`)
  const { error, error_description: description = '' } = parsed.data
  if (error === 'invalid_grant') return new CliError('sign_in_refused', 'The name or the password is wrong.')
  const said = [error, description].filter((part) => part !== '' && !part.includes(secret)).join(': ')
  const remedy = Object.hasOwn(remedies, error) ? remedies[error] : undefined
  const message = `The service refused the sign-in: ${said}`
  return new CliError(
    status >= 500 ? 'unreachable' : 'sign_in_refused',
    message,
    remedy === undefined ? {} : { remedy },
  )
}
