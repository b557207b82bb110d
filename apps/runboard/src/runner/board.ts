import { isRunnerError, type RunnerFetch } from '@countersign/clerk-convex/runner/node'
import { z } from 'zod'

/** What a runner takes from the board, does, and tells. Every call is made as the runner, and may take a while. */
export interface Board {
  whoAmI(): Promise<z.infer<typeof meSchema>>
  take(): Promise<Job | undefined>
  /** `from`: how many lines were reported before. Whether to go on: false once somebody has stopped the run. */
  report(id: string, from: number, lines: readonly string[]): Promise<boolean>
  finish(id: string, succeeded: boolean): Promise<void>
}

export type Job = z.infer<typeof jobSchema>

/** The board does not let this runner in, or not any more: no use in asking again. */
export class BoardRefused extends Error {
  override readonly name = 'BoardRefused'
}

const meSchema = z.object({
  name: z.string(),
  organization: z.string(),
  workspace: z.string(),
  scopes: z.array(z.string()),
})
const jobSchema = z.object({ id: z.string(), task: z.string(), repository: z.string(), printed: z.number() })

const deadlineMs = 15_000
const longestPauseMs = 30_000

export interface BoardOptions {
  /** The origin of the board's HTTP actions. */
  readonly url: string
  readonly fetch: RunnerFetch
  readonly signal: AbortSignal
  /** Whether to ask again for as long as the board is out of reach. */
  readonly isPatient: boolean
  /** Told once for each time that the board is out of reach, and back. */
  readonly onReach: (isReached: boolean) => void
}

/** When patient, asks again, ever more slowly, while the board or its tokens are out of reach; the runner's work goes on meanwhile. */
export function connectBoard({ url, fetch, signal, isPatient, onReach }: BoardOptions): Board {
  let isReached = true
  const reach = (is: boolean): void => {
    if (is !== isReached) onReach(is)
    isReached = is
  }

  async function once(path: string, body: object): Promise<unknown> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, { ...init, signal: deadline })
    if (response.status >= 500) throw new TypeError(`The board answered ${response.status}.`)
    if (!response.ok) throw new BoardRefused(`The board answered ${response.status} to ${path}.`)
    return response.json()
  }

  async function call<Answer>(path: string, body: object, answer: z.ZodType<Answer>): Promise<Answer> {
    for (let pauseMs = 500; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        const said = await once(path, body)
        reach(true)
        return answer.parse(said)
      } catch (error) {
        signal.throwIfAborted()
        const isFinal = isRunnerError(error) && !error.code.endsWith('_unavailable')
        if (!isPatient || isFinal || error instanceof BoardRefused || error instanceof z.ZodError) throw error
        reach(false)
        await pause(pauseMs, signal)
      }
    }
  }

  return {
    whoAmI: () => call('/jobs/whoami', {}, meSchema),
    take: async () => (await call('/jobs/take', {}, jobSchema.nullable())) ?? undefined,
    report: async (id, from, lines) =>
      (await call('/jobs/report', { id, from, lines }, z.object({ goOn: z.boolean() }))).goOn,
    finish: async (id, succeeded) => void (await call('/jobs/finish', { id, succeeded }, z.unknown())),
  }
}

/** @throws the signal's reason */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
