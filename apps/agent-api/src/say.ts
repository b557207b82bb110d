import type { Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import { builtInAgents } from './agents.ts'
import { type Conversation, extend } from './conversations.ts'
import { respond, responderName } from './local-responder.ts'
import { ownerOf } from './owned-store.ts'
import { findAgent } from './routes/agents.ts'
import type { Context } from './routes/context.ts'

const saying = z.strictObject({
  message: z.string().trim().min(1).max(2000),
  /** Whom to begin a conversation with; one that goes on keeps its agent. */
  agent: z.string().max(64).optional(),
  conversation: z.string().max(64).optional(),
})

/** What saying something takes of what the routes share. */
export type SayContext = Pick<Context, 'agents' | 'conversations' | 'usage' | 'clock' | 'newId'>

export interface Said {
  readonly isNew: boolean
  readonly answer: {
    readonly conversation: string
    readonly agent: string
    readonly reply: string
    readonly answered_by: string
  }
}

/**
 * Says something in a conversation, or begins one, however it came here.
 * @throws Problem `invalid_request`, `not_found`, `limit_reached`
 */
export function say(
  { agents, conversations, usage, clock, newId }: SayContext,
  principal: Principal,
  given: unknown,
): Said {
  const owner = ownerOf(principal)
  const { message, agent: agentId, conversation: id } = Problem.parse(saying, given)
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
  const isBuiltIn = builtInAgents.some((one) => one.id === agent.id)
  usage.add({ agent: isBuiltIn ? agent.id : 'own', words: countWords(message) + countWords(reply), at })
  return {
    isNew: current === undefined,
    answer: { conversation: after.id, agent: agent.id, reply, answered_by: responderName },
  }
}

const countWords = (text: string): number => text.split(/\s+/u).filter((word) => word !== '').length
