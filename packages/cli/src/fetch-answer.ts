import type { CliIo } from './io.ts'

/** How long a service may take to answer, and how much it may say. */
const answerMs = 3_000
const longestAnswer = 65_536

/** The text of a 200 answer of at most 64 KiB within 3 s, no redirect followed; undefined for anything else. */
export async function fetchText(io: Pick<CliIo, 'fetch'>, url: string): Promise<string | undefined> {
  const answer = await fetchAnswer(io, url)
  return answer.kind === 'answered' && answer.status === 200 ? answer.text : undefined
}

export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Headers; readonly text: string | undefined }
  /** Nothing listens there. */
  | { readonly kind: 'refused' }
  /** Something is there, or on the way, but no usable answer came. */
  | { readonly kind: 'failed' }

/** What is sent, when it is more than a question. */
export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** @default 3_000 */
  readonly timeoutMs?: number
}

/** The same with everything that can be told of it. `text` is undefined when it was too long. */
export async function fetchAnswer(
  io: Pick<CliIo, 'fetch'>,
  url: string,
  { timeoutMs = answerMs, ...sent }: Sent = {},
): Promise<Answer> {
  try {
    const response = await io.fetch(url, { ...sent, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
    return {
      kind: 'answered',
      status: response.status,
      headers: response.headers,
      text: await readBody(response),
    }
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.cause : undefined
    const refused = reason instanceof Error && 'code' in reason && reason.code === 'ECONNREFUSED'
    return { kind: refused ? 'refused' : 'failed' }
  }
}

async function readBody(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > longestAnswer) return undefined
  }
  return text
}
