export interface Message {
  readonly from: 'user' | 'agent'
  readonly text: string
  /** Unix seconds. */
  readonly at: number
}

export interface Conversation {
  readonly id: string
  readonly agent: string
  /** Unix seconds. */
  readonly startedAt: number
  readonly messages: readonly Message[]
}

/** Most characters that a conversation holds; past it a new one has to be begun. */
const longestConversation = 65_536

/** The conversation with more said in it, or `undefined` if that would be too much. */
export function extend(conversation: Conversation, messages: readonly Message[]): Conversation | undefined {
  const all = [...conversation.messages, ...messages]
  const characters = all.reduce((sum, message) => sum + message.text.length, 0)
  return characters > longestConversation ? undefined : { ...conversation, messages: all }
}
