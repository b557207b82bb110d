import { type Issuer, isIssuerError } from '@countersign/issuer'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'

const text = z.string().max(100_000)
const listed = z.object({ conversations: z.array(z.object({ id: z.string().max(128) })).max(1_000) })
const conversation = z.object({
  id: text,
  agent: text,
  started_at: z.number(),
  messages: z.array(z.object({ from: z.enum(['user', 'agent']), text, at: z.number() })).max(10_000),
})

export type Conversation = z.output<typeof conversation>

export interface Delegation {
  /**
   * A customer's conversations, read in their name by an operator who says why.
   * @throws Problem `forbidden` if the customer or the operator may not (any more), `unavailable`
   */
  readConversations(asked: {
    readonly customersToken: string
    readonly operatorsToken: string
    readonly reason: string
  }): Promise<readonly Conversation[]>
}

export interface DelegationOptions {
  readonly issuer: Pick<Issuer, 'exchange'>
  /** The console's own account. */
  readonly client: { readonly id: string; readonly secret: string }
  /** Where agent-api answers. */
  readonly agentApi: string
}

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const timeoutMs = 5_000
const mostRead = 20

/**
 * Exchanges the customer's token and the operator's (RFC 8693) for one that agent-api takes: the customer is its subject,
 * the operator its actor, it is for reading conversations and ends with the sooner of both. It is used here and kept
 * nowhere. That it was made, by whom, for whom and why, is in the audit log before it exists.
 */
export function createDelegation({ issuer, client, agentApi }: DelegationOptions): Delegation {
  async function get<T>(path: string, token: string, shape: z.ZodType<T>): Promise<T> {
    const response = await fetch(new URL(path, agentApi), {
      redirect: 'error',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      throw new Problem('unavailable', 'agent-api cannot be reached: try again.', { cause })
    })
    if (response.status === 401 || response.status === 403) {
      throw new Problem('forbidden', 'agent-api refused: the customer’s leave or your sign-in has ended.')
    }
    const answer = shape.safeParse(await response.json().catch(() => undefined))
    if (!response.ok || !answer.success) throw new Problem('unavailable', 'agent-api could not answer: try again.')
    return answer.data
  }

  return {
    async readConversations({ customersToken, operatorsToken, reason }) {
      const { accessToken: token } = await issuer
        .exchange({
          client: { method: 'client_secret_basic', clientId: client.id, secret: client.secret },
          subjectToken: customersToken,
          subjectTokenType: accessToken,
          actorToken: operatorsToken,
          actorTokenType: accessToken,
          audience: 'agent-api',
          scope: 'conversations:read',
          reason,
        })
        .catch((error: unknown) => {
          throw refused(error)
        })
      const { conversations } = await get('/conversations', token, listed)
      const newest = conversations.slice(-mostRead)
      return await Promise.all(
        newest.map(({ id }) => get(`/conversations/${encodeURIComponent(id)}`, token, conversation)),
      )
    },
  }
}

function refused(error: unknown): unknown {
  if (!isIssuerError(error)) return error
  const cause = { cause: error }
  switch (error.code) {
    case 'invalid_request':
    case 'invalid_scope':
    case 'invalid_target':
    case 'invalid_grant':
      return new Problem('forbidden', 'The issuer refused: the customer’s leave or your sign-in has ended.', cause)
    case 'temporarily_unavailable':
    case 'rate_limited':
      return new Problem('unavailable', 'The token service cannot be used now: try again.', cause)
    default:
      // Our own account is wrong: nothing that the operator could do about it.
      return error
  }
}
