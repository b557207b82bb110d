import type { Guard } from '@countersign/guard'
import type { Clock, Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'
import type { Response } from 'express'
import type { RevocationBoard } from '../revocation-board.ts'
import { consumerWords, summaryWords } from '../views/revocation.ts'

const longestMs = 60_000
const mostStreams = 200

export interface EventStreamsOptions {
  readonly guard: Pick<Guard, 'watch'>
  readonly board: RevocationBoard
  readonly clock: Clock
}

/** Server-sent events: who has acknowledged a revocation, as it comes. Each ends with its operator, or after a minute. */
export class EventStreams {
  readonly #options: EventStreamsOptions
  readonly #open = new Set<() => void>()

  constructor(options: EventStreamsOptions) {
    this.#options = options
  }

  /** @throws Problem `not_found`, `limit_reached` */
  open(res: Response, principal: Principal, id: string): void {
    const { guard, board, clock } = this.#options
    if (board.get(id) === undefined) throw new Problem('not_found', 'There is no such revocation here.')
    if (this.#open.size >= mostStreams) throw new Problem('limit_reached', 'Too many are watching: look again later.')
    res.set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' })
    res.write('retry: 5000\n\n')
    let sent = ''
    const say = (event: string, data: string): void => void res.write(`event: ${event}\ndata: ${data}\n\n`)
    const stops: (() => void)[] = []
    const end = (event?: 'done' | 'over'): void => {
      if (!this.#open.delete(drop)) return
      for (const stop of stops) stop()
      if (event !== undefined) say(event, '')
      res.end()
    }
    const drop = (): void => end()
    const tell = (): void => {
      const view = board.get(id)
      if (view === undefined) {
        end('done')
        return
      }
      const state = JSON.stringify({ summary: summaryWords(view), consumers: view.consumers.map(consumerWords) })
      if (state !== sent) say('state', state)
      sent = state
      if (view.isComplete) end('done')
    }
    this.#open.add(drop)
    res.once('close', drop)
    stops.push(guard.watch(principal, () => end('over')))
    stops.push(clock.after(longestMs, () => end('done')))
    stops.push(board.onLook(tell))
    tell()
  }

  /** Ends all of them: the server waits for its requests. */
  close(): void {
    for (const drop of [...this.#open]) drop()
  }
}
