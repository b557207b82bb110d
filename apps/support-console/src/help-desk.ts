import { randomUUID } from 'node:crypto'
import type { Guard } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'

/** Somebody who asked for help, and whose leave rests here: a token of theirs for this console. */
export interface HelpRequest {
  readonly id: string
  readonly subject: string
  readonly note: string
  /** Unix seconds. */
  readonly askedAt: number
  readonly expiresAt: number
  /** Never shown, never logged. */
  readonly token: string
}

const mostRequests = 500

/** Requests for help, in memory, for as long as their tokens live: whatever ends one ends the other. */
export class HelpDesk {
  readonly #guard: Pick<Guard, 'watch'>
  readonly #clock: { now(): number }
  /** By subject: whoever asks again has one request all the same. */
  readonly #requests = new Map<string, { readonly request: HelpRequest; readonly stop: () => void }>()

  constructor(guard: Pick<Guard, 'watch'>, clock: { now(): number }) {
    this.#guard = guard
    this.#clock = clock
  }

  /** @throws Problem `limit_reached` */
  ask(principal: Principal, token: string, note: string): HelpRequest {
    const { subject, expiresAt } = principal
    this.#forget(subject)
    if (this.#requests.size >= mostRequests) throw new Problem('limit_reached', 'Too many ask for help: try again.')
    const askedAt = Math.floor(this.#clock.now())
    const request: HelpRequest = { id: randomUUID(), subject, note, askedAt, expiresAt, token }
    const stop = this.#guard.watch(principal, () => {
      if (this.#requests.get(subject)?.request === request) this.#requests.delete(subject)
    })
    this.#requests.set(subject, { request, stop })
    return request
  }

  /** The longest waiting first. */
  list(): readonly HelpRequest[] {
    const now = this.#clock.now()
    return [...this.#requests.values()].map(({ request }) => request).filter(({ expiresAt }) => expiresAt > now)
  }

  /** @throws Problem `not_found` */
  get(id: string): HelpRequest {
    const found = this.list().find((request) => request.id === id)
    if (found === undefined) throw new Problem('not_found', 'There is no such request any more; they can ask again.')
    return found
  }

  close(): void {
    for (const subject of [...this.#requests.keys()]) this.#forget(subject)
  }

  #forget(subject: string): void {
    this.#requests.get(subject)?.stop()
    this.#requests.delete(subject)
  }
}
