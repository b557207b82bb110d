import type { Connection, Message, WebSocketAuth } from '@countersign/websocket/server'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import type { Commands } from './commands/commands.ts'
import type { Scope } from './consumer.ts'
import type { Feed } from './feed.ts'
import { commandShape, noteShape } from './routes.ts'

/** Who may say what over the WebSocket; anything else is refused. */
export const messages = {
  'feed.read': ['service'],
  'feed.post': ['service'],
  'command.run': ['admin'],
  'command.stop': ['admin'],
} as const

const readShape = z
  .strictObject({ after: z.int().min(0).exactOptional(), epoch: z.string().max(64).exactOptional() })
  .default({})
const stopShape = z.strictObject({ command: z.string().max(64) })

type Handler = (data: unknown, message: Message<Scope>) => { readonly type: string; readonly data: unknown }

export function answerMessages(
  sockets: WebSocketAuth<Scope, keyof typeof messages>,
  { feed, commands }: { readonly feed: Feed; readonly commands: Commands },
): void {
  const readers = new WeakMap<Connection<Scope>, () => void>()

  /** From now on the connection gets each event as it happens, as long as it may; asking again begins anew. */
  function follow(connection: Connection<Scope>): void {
    readers.get(connection)?.()
    const stop = feed.subscribe((event) => void connection.send('feed.event', event))
    const done = connection.whilePermitted(['service'], stop)
    readers.set(connection, () => {
      stop()
      done()
    })
  }

  const handlers: Readonly<Record<keyof typeof messages, Handler>> = {
    'feed.read': (data, { connection }) => {
      const part = feed.part(Problem.parse(readShape, data))
      // In the very turn: what the last part does not have comes as an event.
      follow(connection)
      return { type: 'feed.page', data: part }
    },
    'feed.post': (data) => {
      const { id } = feed.append({ type: 'note', text: Problem.parse(noteShape, data).text })
      return { type: 'feed.posted', data: { id } }
    },
    'command.run': (data) => ({ type: 'command.accepted', data: commands.run(Problem.parse(commandShape, data).argv) }),
    'command.stop': (data) => {
      commands.stop(Problem.parse(stopShape, data).command)
      return { type: 'command.stopping', data: {} }
    },
  }
  for (const [type, handle] of Object.entries(handlers) as [keyof typeof messages, Handler][]) {
    sockets.on(type, (message) => {
      try {
        message.reply(handle(message.data, message))
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        message.refuse(error.code)
      }
    })
  }
}
