/** Somebody to chat with. */
export interface Agent {
  readonly id: string
  readonly name: string
  readonly description: string
}

/** There for everybody, and not to be changed. */
export const builtInAgents: readonly Agent[] = [
  { id: 'concierge', name: 'Concierge', description: 'Greets, and says what was heard.' },
  { id: 'archivist', name: 'Archivist', description: 'Counts what was said.' },
]
