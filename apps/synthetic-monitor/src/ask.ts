import { ProbeFailure } from './failure.ts'

export interface Question {
  readonly method?: 'GET' | 'POST'
  /** `Authorization`, whole. */
  readonly authorization?: string
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  /** `WWW-Authenticate`, or nothing. */
  readonly challenge: string
  /** Parsed JSON; undefined for anything else. */
  readonly body: unknown
}

export type Ask = (url: string, question: Question) => Promise<Answer>

const mostBytes = 262_144

/** One request, read whole and bounded; a redirect is an answer like any other. */
export function createAsk(fetchOf: typeof fetch): Ask {
  return async (url, { method, authorization, json, form, signal }) => {
    const body = json === undefined ? form && new URLSearchParams(form) : JSON.stringify(json)
    try {
      const response = await fetchOf(url, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        redirect: 'manual',
        signal,
        headers: {
          'user-agent': 'countersign-synthetic-monitor',
          ...(authorization === undefined ? {} : { authorization }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
      })
      return {
        status: response.status,
        challenge: response.headers.get('www-authenticate') ?? '',
        body: parsed(await readText(response)),
      }
    } catch (cause) {
      if (cause instanceof ProbeFailure) throw cause
      throw new ProbeFailure('unreachable', `${hostOf(url)} could not be reached${codeOf(cause)}`, { cause })
    }
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > mostBytes)
      throw new ProbeFailure('wrong_answer', `${hostOf(response.url)} sent over ${mostBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

/** Undefined for what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'the address')

/** Node hides why a request failed in the cause of a TypeError. */
function codeOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? `: ${code}` : ''
}

export const bearer = (token: string): string => `Bearer ${token}`

/** RFC 6749 section 2.3.1. */
export function basic({ id, secret }: { readonly id: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`
}

/**
 * Holds an answer to the one status that is right.
 * @throws ProbeFailure `unavailable`, `refused`, `wrong_answer`
 */
export function expectStatus(answer: Answer, status: number, who: string): void {
  if (answer.status === status) return
  const code = errorOf(answer)
  throw new ProbeFailure(reasonOf(answer.status), `${who} answered ${answer.status}${code === '' ? '' : ` ${code}`}`)
}

function reasonOf(status: number): 'unavailable' | 'refused' | 'wrong_answer' {
  if (status >= 500 || status === 429) return 'unavailable'
  return status === 400 || status === 401 || status === 403 ? 'refused' : 'wrong_answer'
}

/** The `error` of RFC 6749 section 5.2, where it has the form of one. */
export function errorOf({ body }: Pick<Answer, 'body'>): string {
  const error = memberOf(body, 'error')
  return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : ''
}

export function memberOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}
