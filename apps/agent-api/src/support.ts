import { createTokenExchanger, isTokenSourceError } from '@countersign/token-source'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'

/** Characters of what a customer may say to support. */
export const longestNote = 500

/** Asks for help in the name of whom the token speaks for. */
export interface Support {
  /** @throws Problem `unavailable`, `forbidden` */
  ask(customersToken: string, note: string): Promise<{ readonly expiresAt: number }>
  close(): void
}

export interface SupportOptions {
  readonly issuer: string
  /** This service's own account at the issuer. */
  readonly client: { readonly id: string; readonly secret: string }
  /** Where support-console answers. */
  readonly console: string
}

const timeoutMs = 5_000
const taken = z.object({ expires_at: z.number() })

/**
 * Exchanges the customer's token for one that support-console takes (RFC 8693). It is the customer's leave: it lets an
 * operator read conversations in the customer's name, and do nothing else, until it ends.
 */
export function createSupport({ issuer, client, console: url }: SupportOptions): Support {
  const grant = { audience: 'support-console', scope: 'conversations:read' }
  const exchanger = createTokenExchanger({ issuer, client, ...grant, timeoutMs })
  return {
    async ask(customersToken, note) {
      const token = await exchanger.getToken(customersToken).catch((cause: unknown) => {
        if (isTokenSourceError(cause) && cause.code === 'grant_refused') {
          throw new Problem('forbidden', 'This token cannot be used to ask for help: sign in again.', { cause })
        }
        throw new Problem('unavailable', 'Nobody can be asked at the moment: try again.', { cause })
      })
      const response = await fetch(new URL('/help', url), {
        method: 'POST',
        redirect: 'error',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ note }),
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw new Problem('unavailable', 'Support cannot be reached: try again.', { cause })
      })
      const answer = taken.safeParse(await response.json().catch(() => undefined))
      if (!response.ok || !answer.success) {
        throw new Problem('unavailable', 'Support could not take the request: try again.')
      }
      return { expiresAt: answer.data.expires_at }
    },
    close: () => exchanger.close(),
  }
}

/** Where nothing is configured, nobody can be asked. */
export const noSupport: Support = {
  async ask() {
    throw new Problem('unavailable', 'Nobody can be asked here: no support is configured.')
  },
  close: () => undefined,
}
