import type { ConvexClient } from 'convex/browser'
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server'

type Query = FunctionReference<'query'>

/** Live queries by name: one that is begun anew takes the place of the one before. */
export class Live {
  readonly #client: ConvexClient
  readonly #watched = new Map<string, () => void>()

  constructor(client: ConvexClient) {
    this.#client = client
  }

  /** @param refused when the caller may not, or no longer, see it */
  watch<Of extends Query>(
    name: string,
    query: Of,
    args: FunctionArgs<Of>,
    show: (value: FunctionReturnType<Of>) => void,
    refused: () => void,
  ): void {
    this.stop(name)
    const unsubscribe = this.#client.onUpdate(query, args, show, refused)
    this.#watched.set(name, () => unsubscribe())
  }

  stop(name: string): void {
    this.#watched.get(name)?.()
    this.#watched.delete(name)
  }

  stopAll(): void {
    for (const name of [...this.#watched.keys()]) this.stop(name)
  }
}
