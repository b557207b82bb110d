import { z } from 'zod'
import { fetchAnswer } from '../fetch-answer.ts'
import type { CliIo } from '../io.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** Clock differences past these are told of: 5 s is what verifiers forgive, 60 s what key planning does. */
const clockWarnSeconds = 5
const clockErrorSeconds = 60

const metadataSchema = z.looseObject({ issuer: z.string() })

interface Answer {
  /** Unix seconds from the Date header; undefined if there is none. */
  readonly date: number | undefined
  /** The issuer in the metadata; undefined when what answered is no token service. */
  readonly issuer: string | undefined
}

function parseIssuer(text: string): string | undefined {
  try {
    const parsed = metadataSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data.issuer : undefined
  } catch {
    return undefined
  }
}

/** Asks for the metadata document. `undefined`: nothing listens there. */
async function askService(base: string, io: Pick<CliIo, 'fetch'>): Promise<Answer | undefined> {
  const answer = await fetchAnswer(io, `${base}/.well-known/oauth-authorization-server`)
  if (answer.kind === 'refused') return undefined
  if (answer.kind === 'failed') return { date: undefined, issuer: undefined }
  const date = Date.parse(answer.headers.get('date') ?? '')
  return {
    date: Number.isNaN(date) ? undefined : date / 1000,
    issuer: answer.status === 200 && answer.text !== undefined ? parseIssuer(answer.text) : undefined,
  }
}

export interface AddressSettings {
  readonly issuer: string
  readonly host: string
  readonly port: number
}

/** `0.0.0.0` and `::` listen everywhere, loopback included; nobody connects to them. */
function baseUrl({ host, port }: AddressSettings): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function checkClock(date: number | undefined, where: string, now: number): Finding[] {
  if (date === undefined) return []
  // The header has whole seconds, so up to one second of difference says nothing.
  const difference = Math.abs(now - date)
  const text = `This clock and the running service's are ${Math.round(difference)} s apart.`
  const remedy = 'Synchronise both clocks (chrony, systemd-timesyncd).'
  if (difference > clockErrorSeconds) return [error('clock', text, where, remedy)]
  if (difference > clockWarnSeconds) return [warning('clock', text, where, remedy)]
  return [ok('clock', "This clock agrees with the running service's.", where)]
}

/** Is the configured port free, or answered by this very service? And does its clock agree with ours? */
export async function checkAddress(settings: AddressSettings, io: Pick<CliIo, 'fetch' | 'clock'>): Promise<Finding[]> {
  if (settings.port === 0) return [ok('address', 'The port is picked at each start.', 'port 0')]
  const where = baseUrl(settings)
  const answer = await askService(where, io)
  if (answer === undefined) return [ok('address', 'Nothing listens there: `countersign serve` can.', where)]
  if (answer.issuer === settings.issuer) {
    return [ok('address', 'The service is running.', where), ...checkClock(answer.date, where, io.clock.now())]
  }
  const what =
    answer.issuer === undefined
      ? 'Something else listens there.'
      : `A token service of another issuer listens there: ${answer.issuer}.`
  return [error('address', what, where, 'Stop it, or choose another port (`port`, COUNTERSIGN_PORT).')]
}
