import { Problem } from '@countersign-apps/kit'
import type { Conversation } from '../conversations.ts'
import { ownerOf } from '../owned-store.ts'
import type { Context } from './context.ts'

export function conversationRoutes({ router, auth, conversations }: Context): void {
  router.get('/conversations', 'conversations:read', (req, res) => {
    const own = conversations.list(ownerOf(auth.principal(req)))
    res.json({ conversations: own.map(({ messages, ...rest }) => ({ ...onWire(rest), messages: messages.length })) })
  })

  router.get('/conversations/:id', 'conversations:read', (req, res) => {
    const found = conversations.get(ownerOf(auth.principal(req)), String(req.params.id))
    if (found === undefined) throw new Problem('not_found', 'There is no such conversation.')
    res.json({ ...onWire(found), messages: found.messages })
  })

  router.delete('/conversations/:id', 'conversations:delete', (req, res) => {
    if (!conversations.delete(ownerOf(auth.principal(req)), String(req.params.id))) {
      throw new Problem('not_found', 'There is no such conversation.')
    }
    res.status(204).end()
  })
}

function onWire({ id, agent, startedAt }: Omit<Conversation, 'messages'>): object {
  return { id, agent, started_at: startedAt }
}
