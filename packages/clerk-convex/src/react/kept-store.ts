import { AuthError } from '../auth-error.ts'
import type { AuthenticatedClient } from '../client/convex-client.ts'
import { type KeepAuthenticatedOptions, type KeptAuth, keepAuthenticated } from '../client/keep-authenticated.ts'
import type { ClientAuthStatus } from '../client/status.ts'

const notYet: ClientAuthStatus = Object.freeze({ state: 'loading', isRenewalFailing: false })

/** What a provider keeps over renderings, and over React's mounting twice: nothing happens before `start`. */
export class KeptStore {
  readonly #client: AuthenticatedClient
  readonly #options: KeepAuthenticatedOptions
  readonly #listeners = new Set<() => void>()
  #kept: KeptAuth | undefined
  #last: ClientAuthStatus = notYet

  constructor(client: AuthenticatedClient, options: KeepAuthenticatedOptions) {
    this.#client = client
    this.#options = options
  }

  /** The returned function ends it; it may be started again. */
  start(): () => void {
    const kept = keepAuthenticated(this.#client, this.#options)
    this.#kept = kept
    const changed = (): void => {
      this.#last = kept.getSnapshot()
      for (const listener of [...this.#listeners]) listener()
    }
    const stop = kept.subscribe(changed)
    changed()
    return () => {
      stop()
      kept.close()
      this.#kept = undefined
    }
  }

  readonly getSnapshot = (): ClientAuthStatus => this.#last
  readonly getServerSnapshot = (): ClientAuthStatus => notYet
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** @throws AuthError `no_live_token` outside of the provider's life */
  get kept(): KeptAuth {
    if (this.#kept !== undefined) return this.#kept
    throw new AuthError('no_live_token', 'The provider is not mounted; nothing was sent.', { reason: 'loading' })
  }
}
