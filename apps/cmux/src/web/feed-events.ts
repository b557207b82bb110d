/** An event of the feed, as this page shows it. */
export type FeedEvent = { readonly id: number; readonly at: number } & (
  | { readonly type: 'command.started'; readonly command: string; readonly argv: readonly string[] }
  | { readonly type: 'command.output'; readonly command: string; readonly stream: string; readonly text: string }
  | {
      readonly type: 'command.ended'
      readonly command: string
      readonly reason: string
      readonly code: number | null
      readonly signal: string | null
    }
  | { readonly type: 'note'; readonly text: string }
)

export interface FeedPage {
  readonly epoch: string
  readonly events: readonly FeedEvent[]
  /** Newer ones are there, to be asked for from the last of these on. */
  readonly more: boolean
}

/** What cmux sends is cmux's own word: only told apart, not checked member by member. */
export const asEvent = (data: unknown): FeedEvent => data as FeedEvent
export const asPage = (data: unknown): FeedPage => data as FeedPage

/** How a command ended, for people. */
export function outcomeOf(event: FeedEvent & { readonly type: 'command.ended' }): { text: string; isGood: boolean } {
  switch (event.reason) {
    case 'exited':
      if (event.code === null) return { text: `ended by ${event.signal ?? 'a signal'}`, isGood: false }
      return event.code === 0 ? { text: 'done', isGood: true } : { text: `exit code ${event.code}`, isGood: false }
    case 'stopped':
      return { text: 'stopped', isGood: false }
    case 'time_limit':
      return { text: 'took too long', isGood: false }
    case 'output_limit':
      return { text: 'printed too much', isGood: false }
    case 'not_started':
      return { text: 'no such program', isGood: false }
    default:
      return { text: 'cmux stopped', isGood: false }
  }
}
