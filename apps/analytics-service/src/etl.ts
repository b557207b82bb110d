import { setTimeout as sleep } from 'node:timers/promises'
import { authorizedFetch, type TokenSource } from '@countersign/token-source'
import { EtlError } from './etl-error.ts'
import type { Cursor, ReportStore } from './report-store.ts'
import { readPage } from './usage-pages.ts'

export interface EtlProgress {
  /** Of the log that is being read, in sequences. */
  readonly done: number
  readonly of: number
}

export interface EtlOptions {
  readonly agentApi: string
  readonly source: Pick<TokenSource, 'getToken'>
  readonly store: ReportStore
  /** Rows of one request and one transaction, 1 to 1,000. @default 500 */
  readonly pageSize?: number
  readonly onProgress?: (progress: EtlProgress) => void
  readonly pause?: (tries: number) => Promise<void>
}

export interface EtlResult {
  readonly pages: number
  readonly rows: number
  /** Rows that agent-api no longer had. */
  readonly lost: number
}

const sourceName = 'agent-api/usage'
const firstPauseMs = 250

/**
 * Loads whatever agent-api has and the store has not. Each page's rows and the cursor are one transaction, so that a run
 * that is killed anywhere loses nothing and doubles nothing.
 *
 * @throws EtlError; TokenSourceError when there is no token
 */
export async function runEtl(options: EtlOptions): Promise<EtlResult> {
  const { store, onProgress, agentApi, pageSize = 500 } = options
  const pause = options.pause ?? ((tries: number) => sleep(firstPauseMs * 2 ** (tries - 1)))
  const request = { agentApi, pageSize, pause, fetch: authorizedFetch(options.source) }
  let cursor: Cursor | undefined = store.cursor(sourceName)
  let [pages, rows, lost] = [0, 0, 0]
  for (;;) {
    let after = cursor?.after ?? 0
    let page = await readPage(request, after)
    if (cursor !== undefined && page.log !== cursor.log) {
      // agent-api was started anew: its sequences began at 1 again.
      after = 0
      page = await readPage(request, after)
    }
    pages += 1
    lost += Math.max(0, page.oldest - 1 - after)
    const to = { log: page.log, after: page.usage.at(-1)?.sequence ?? Math.max(after, page.oldest - 1) }
    if (!store.load(sourceName, cursor, to, page.usage)) {
      throw new EtlError('cursor_moved', 'Somebody else loaded rows meanwhile.')
    }
    cursor = to
    rows += page.usage.length
    onProgress?.({ done: to.after, of: page.latest })
    if (to.after >= page.latest) return { pages, rows, lost }
  }
}
