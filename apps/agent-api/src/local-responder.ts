import type { Agent } from './agents.ts'
import type { Message } from './conversations.ts'

/** Goes with every answer, so that nobody takes it for a model's. */
export const responderName = 'local-responder'

/**
 * Answers a message without any model: the same words to the same agent at the same place in a conversation give the
 * same answer, so that what is around it (tokens, scopes, storage) can be shown and tested.
 */
export function respond(agent: Agent, said: string, before: readonly Message[]): string {
  const words = said.trim().split(/\s+/).length
  const turn = before.filter((message) => message.from === 'user').length + 1
  const opening = said.length > 80 ? `${said.slice(0, 80)}…` : said
  return `${agent.name} (${responderName}, no model) heard ${words} ${words === 1 ? 'word' : 'words'} in turn ${turn}: ${opening}`
}
