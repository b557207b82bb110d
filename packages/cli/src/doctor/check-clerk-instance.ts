import { z } from 'zod'
import { fetchAnswer } from '../fetch-answer.ts'
import type { CliIo } from '../io.ts'
import type { ClerkSettings } from './clerk-settings.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** Tokens live for a minute, and verifiers forgive 5 s. */
const clockSeconds = 5
/** Clerk is on the other side of a network. */
const timeoutMs = 10_000

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1) })
const instanceSchema = z.looseObject({ environment_type: z.string() })

/** Asks Clerk: the keys that its tokens are signed with, and with the secret key which instance it is. */
export async function checkClerkInstance(
  settings: ClerkSettings,
  io: Pick<CliIo, 'fetch' | 'clock'>,
): Promise<Finding[]> {
  const { environment, apiUrl } = settings
  const { issuer, secretKey } = environment
  if (issuer === undefined || !isSafe(issuer)) {
    return [
      warning(
        'instance',
        'Clerk was not asked: there is no issuer to ask.',
        settings.placeOf('issuer'),
        'Put the issuer right first.',
      ),
    ]
  }
  const published = await askKeys(issuer, io)
  if (published.kids === undefined) return published.findings
  if (secretKey === undefined) return published.findings
  if (!isSafe(apiUrl)) {
    const remedy = 'Give an https URL, or http on loopback: the secret key goes there.'
    return [...published.findings, error('instance', 'The Backend API was not asked.', 'CLERK_API_URL', remedy)]
  }
  const own = await askBackend(settings, published.kids, io)
  return [...published.findings, ...own]
}

interface Published {
  readonly findings: Finding[]
  readonly kids?: readonly string[]
}

async function askKeys(issuer: string, io: Pick<CliIo, 'fetch' | 'clock'>): Promise<Published> {
  const where = `${issuer}/.well-known/jwks.json`
  const askedAt = io.clock.now()
  const answer = await fetchAnswer(io, where, { timeoutMs })
  if (answer.kind !== 'answered' || answer.status !== 200 || answer.text === undefined) {
    const remedy =
      'Check the issuer, the network and https://status.clerk.com; with pinned keys your service works meanwhile.'
    const what =
      answer.kind === 'answered' ? `The instance answers ${answer.status}.` : 'The instance cannot be reached.'
    return { findings: [error('instance', what, where, remedy)] }
  }
  const kids = readKids(answer.text)
  if (kids === undefined) {
    const remedy = 'Check the issuer: what answers there is no instance of Clerk.'
    return { findings: [error('instance', 'What answers is no key set.', where, remedy)] }
  }
  const keys = ok(
    'instance',
    `The instance signs with ${kids.length === 1 ? 'one key' : `one of ${kids.length} keys`}.`,
    where,
  )
  return { findings: [keys, ...checkClock(answer.headers, where, { askedAt, now: io.clock.now() })], kids }
}

/** @param askedAt by this clock, before: the answer was dated between then and now, however long it took */
function checkClock(headers: Headers, where: string, { askedAt, now }: { askedAt: number; now: number }): Finding[] {
  const date = Date.parse(headers.get('date') ?? '') / 1000
  if (Number.isNaN(date)) return []
  // The header has whole seconds, cut off.
  const difference = Math.max(0, askedAt - date - 1, date - now)
  if (difference <= clockSeconds) return [ok('clock', "This clock agrees with Clerk's.", where)]
  const what = `This clock and Clerk's are ${Math.round(difference)} s apart.`
  return [error('clock', what, where, 'Synchronise it (chrony, systemd-timesyncd): tokens live for a minute.')]
}

async function askBackend(
  settings: ClerkSettings,
  kids: readonly string[],
  io: Pick<CliIo, 'fetch'>,
): Promise<Finding[]> {
  const { environment, apiUrl, placeOf } = settings
  const headers = { authorization: `Bearer ${environment.secretKey}` }
  const secret = placeOf('secretKey')
  const [keys, instance] = await Promise.all(
    ['/v1/jwks', '/v1/instance'].map((path) => fetchAnswer(io, apiUrl + path, { headers, timeoutMs })),
  )
  if (keys?.kind !== 'answered' || keys.status >= 500) {
    const remedy = 'Check the network and https://status.clerk.com, then try again.'
    return [warning('instance', 'The Backend API cannot be reached: the secret key was not checked.', apiUrl, remedy)]
  }
  if (keys.status === 401 || keys.status === 403) {
    return [
      error(
        'instance',
        'Clerk refuses the secret key.',
        secret,
        'Take it from "API keys" in Clerk\'s dashboard; it may have been rotated.',
      ),
    ]
  }
  const own = keys.status === 200 && keys.text !== undefined ? readKids(keys.text) : undefined
  if (own === undefined || !own.some((kid) => kids.includes(kid))) {
    return [
      error(
        'instance',
        'The secret key is of another instance than the issuer.',
        secret,
        "Take both from one instance in Clerk's dashboard.",
      ),
    ]
  }
  const findings = [ok('instance', "The secret key is of the issuer's instance.", secret)]
  const kind = instance?.kind === 'answered' && instance.status === 200 ? readKind(instance.text) : undefined
  if (environment.stage === 'prod' && kind !== undefined && kind !== 'production') {
    findings.push(
      error(
        'instance',
        `The instance is for ${kind}.`,
        issuerOf(settings),
        'Use a production instance in prod: others limit users and share cookies.',
      ),
    )
  }
  return findings
}

const issuerOf = ({ environment }: ClerkSettings): string => environment.issuer ?? ''

function readKids(text: string): readonly string[] | undefined {
  const parsed = keySetSchema.safeParse(parse(text))
  return parsed.success ? parsed.data.keys.map(({ kid }) => kid) : undefined
}

function readKind(text: string | undefined): string | undefined {
  const parsed = instanceSchema.safeParse(parse(text ?? ''))
  return parsed.success && /^[a-z]{1,32}$/u.test(parsed.data.environment_type)
    ? parsed.data.environment_type
    : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** https, or http on loopback. */
function isSafe(address: string): boolean {
  const url = URL.canParse(address) ? new URL(address) : undefined
  return (
    url?.protocol === 'https:' ||
    (url?.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/u.test(url.hostname))
  )
}
