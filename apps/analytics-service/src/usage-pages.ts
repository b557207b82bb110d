import { isTokenSourceError } from '@countersign/token-source'
import { z } from 'zod'
import { EtlError } from './etl-error.ts'

const page = z.object({
  log: z.uuid(),
  oldest: z.int().min(1),
  latest: z.int().min(0),
  usage: z
    .array(z.object({ sequence: z.int().min(1), agent: z.string().max(64), words: z.int().min(0), at: z.int().min(0) }))
    .max(1000),
})

export type UsagePage = z.output<typeof page>

export interface PageOptions {
  /** Where agent-api answers. */
  readonly agentApi: string
  readonly pageSize: number
  /** Sends the token along. */
  readonly fetch: typeof fetch
  /** Milliseconds between two tries, by how many failed. */
  pause(tries: number): Promise<void>
}

const mostTries = 6
const timeoutMs = 10_000

/**
 * One page of what was used, asked for again while agent-api cannot answer.
 * @throws EtlError `source_unavailable`, `source_refused`, `source_invalid`; TokenSourceError when there is no token
 */
export async function readPage(options: PageOptions, after: number): Promise<UsagePage> {
  const url = new URL(`/usage?after=${after}&limit=${options.pageSize}`, options.agentApi)
  for (let tries = 1; ; tries += 1) {
    const response = await ask(options.fetch, url)
    if (response?.ok) {
      const parsed = page.safeParse(await response.json().catch(() => undefined))
      if (parsed.success && isInOrder(parsed.data, after)) return parsed.data
      throw new EtlError('source_invalid', 'agent-api answered with something else than a page of usage.')
    }
    const { status } = response ?? {}
    await response?.body?.cancel()
    if (status !== undefined && status < 500 && status !== 429) {
      throw new EtlError('source_refused', `agent-api answered ${status}.`)
    }
    if (tries === mostTries) {
      throw new EtlError(
        'source_unavailable',
        `agent-api ${status === undefined ? 'cannot be reached' : `answered ${status}`}.`,
      )
    }
    await options.pause(tries)
  }
}

async function ask(request: typeof fetch, url: URL): Promise<Response | undefined> {
  try {
    return await request(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    // Without a token nothing can be asked, however often.
    if (isTokenSourceError(error)) throw error
    return undefined
  }
}

/** Without a gap: what was skipped would be missing without anybody noticing. */
function isInOrder({ usage, oldest }: UsagePage, after: number): boolean {
  const first = Math.max(after + 1, oldest)
  // In another log, whose sequences began anew, the page says nothing.
  return usage.every(({ sequence }, index) => sequence === first + index)
}
