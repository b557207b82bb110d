import type { Guard } from '@countersign/guard'
import { type WebSocketAuth, type WebSocketEvent, webSocketAuth } from '@countersign/websocket/server'
import { Problem } from '@countersign-apps/kit'
import { type SayContext, say } from './say.ts'
import type { Scope } from './scopes.ts'

/** Who may say what; anything else is refused. */
export const messages = { 'chat.send': ['chat:write'] } as const

export type ChatSockets = WebSocketAuth<Scope, 'chat.send'>

export interface ChatSocketOptions {
  /** Exactly these origins of browsers. @default this service's own host */
  readonly origins?: readonly string[]
  readonly onEvent?: (event: WebSocketEvent) => void
}

/**
 * Chat as a stream: `chat.send` is answered by a `chat.delta` for each word as it comes, and by `chat.done` with what
 * POST /chat answers. Whoever is revoked in the middle of an answer does not get the rest of it.
 */
export function createChatSockets(
  guard: Guard<Scope>,
  context: SayContext,
  options: ChatSocketOptions = {},
): ChatSockets {
  const sockets = webSocketAuth({ guard, messages, ...options })
  sockets.on('chat.send', async ({ principal, data, reply, refuse }) => {
    try {
      const { answer } = say(context, principal, data)
      for (const text of answer.reply.split(/(?<=\s)/)) {
        if (!reply({ type: 'chat.delta', data: { text } })) return
        // Others have their turn between two words.
        await new Promise((resolve) => setImmediate(resolve))
      }
      reply({ type: 'chat.done', data: answer })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      refuse(error.code)
    }
  })
  return sockets
}
