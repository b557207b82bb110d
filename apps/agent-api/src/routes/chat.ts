import { z } from 'zod'
import { type Conversation, extend } from '../conversations.ts'
import { jsonBody } from '../json-body.ts'
import { respond, responderName } from '../local-responder.ts'
import { ownerOf } from '../owned-store.ts'
import { Problem } from '../problem.ts'
import { findAgent } from './agents.ts'
import type { Context } from './context.ts'

const chat = z.strictObject({
  message: z.string().trim().min(1).max(2000),
  /** Whom to begin a conversation with; one that goes on keeps its agent. */
  agent: z.string().max(64).optional(),
  conversation: z.string().max(64).optional(),
})

export function chatRoutes({ router, auth, agents, conversations, clock, newId }: Context): void {
  router.post('/chat', 'chat:write', ...jsonBody, (req, res) => {
    const owner = ownerOf(auth.principal(req))
    const { message, agent: agentId, conversation: id } = Problem.parse(chat, req.body)
    const at = Math.floor(clock.now())
    const current = id === undefined ? undefined : conversations.get(owner, id)
    if (id !== undefined && current === undefined) throw new Problem('not_found', 'There is no such conversation.')
    if (current !== undefined && agentId !== undefined && agentId !== current.agent) {
      throw new Problem('invalid_request', 'agent: the conversation is with another agent')
    }
    const agent = findAgent(agents, owner, current?.agent ?? agentId ?? 'concierge')
    const before: Conversation = current ?? { id: newId(), agent: agent.id, startedAt: at, messages: [] }
    const reply = respond(agent, message, before.messages)
    const after = extend(before, [
      { from: 'user', text: message, at },
      { from: 'agent', text: reply, at },
    ])
    if (after === undefined) throw new Problem('limit_reached', 'The conversation is full: begin another.')
    const kept = current === undefined ? conversations.add(owner, after) : conversations.replace(owner, after)
    if (!kept) throw new Problem('limit_reached', 'You have as many conversations as one may have: delete one.')
    res.status(current === undefined ? 201 : 200).json({
      conversation: after.id,
      agent: agent.id,
      reply,
      answered_by: responderName,
    })
  })
}
