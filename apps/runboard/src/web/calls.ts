import { isAuthError } from '@countersign/clerk-convex'
import type { KeptAuth } from '@countersign/clerk-convex/client'
import { byId } from '@countersign-apps/kit/web'
import type { Clerk } from './clerk.ts'

/** Sends what somebody asked for, says in words what came of it, and asks for a proof of who they are where it is due. */
export class Calls {
  readonly #auth: KeptAuth
  readonly #clerk: Clerk
  readonly #notice = byId('notice', HTMLParagraphElement)
  readonly #dialog = byId('step-up', HTMLDialogElement)
  #hide: ReturnType<typeof setTimeout> | undefined

  constructor(auth: KeptAuth, clerk: Clerk) {
    this.#auth = auth
    this.#clerk = clerk
  }

  /** Undefined when it did not happen; the person has been told why. */
  async make<Value>(call: (auth: KeptAuth) => Promise<Value>, done = ''): Promise<Value | undefined> {
    try {
      const value = await this.#withProof(call)
      this.say(done)
      return value
    } catch (error) {
      this.say(wordsFor(error), 'bad')
      return undefined
    }
  }

  say(text: string, tone: 'good' | 'bad' = 'good'): void {
    clearTimeout(this.#hide)
    this.#notice.hidden = text === ''
    this.#notice.textContent = text
    this.#notice.dataset.tone = tone
    this.#hide = setTimeout(() => this.say(''), 8_000)
  }

  async #withProof<Value>(call: (auth: KeptAuth) => Promise<Value>): Promise<Value> {
    try {
      return await call(this.#auth)
    } catch (error) {
      if (!isAuthError(error) || error.reason !== 'step_up_required' || !(await this.#isConfirmed())) throw error
      await this.#clerk.prove()
      await this.#auth.renew()
      return await call(this.#auth)
    }
  }

  #isConfirmed(): Promise<boolean> {
    this.#dialog.returnValue = ''
    this.#dialog.showModal()
    return new Promise((resolve) => {
      this.#dialog.addEventListener('close', () => resolve(this.#dialog.returnValue === 'confirm'), { once: true })
    })
  }
}

const refusals: Readonly<Record<string, string>> = {
  unknown_user_code: 'No runner waits with this code. It may have ended: pair again.',
  too_many_attempts: 'Too many wrong codes. Wait ten minutes.',
  second_key: 'A runner of this name is paired here already: revoke it first.',
  key_in_use: 'This key is a runner’s already.',
}

function wordsFor(error: unknown): string {
  if (!isAuthError(error)) return 'That did not work, and may not have happened. Look before you try again.'
  if (error.code === 'no_live_token') return 'Not sent: nobody can say now who you are. Try again when Clerk is back.'
  return refusals[error.reason ?? ''] ?? error.message
}
