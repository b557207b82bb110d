/** One delivery of an event, as far as a ledger needs to know it. */
export interface WebhookDelivery {
  /** `svix-id`: the same for every attempt at one event. */
  readonly id: string
  /** What the event is about; events about one object are put in order. */
  readonly object: string
  /** When the event happened, in milliseconds since the Unix epoch. */
  readonly happenedAtMs: number
  /** Until when the id has to be kept, in Unix seconds. */
  readonly keepUntil: number
}

/**
 * `new`: handle it. `repeated`: it was handled. `late`: a later event about the same object was handled. `busy`: another
 * process is handling it and may still fail, so that this attempt must not count as the one that succeeded.
 */
export type WebhookStanding = 'new' | 'repeated' | 'late' | 'busy'

/**
 * Which deliveries were seen, and how far each object has come. One for all processes that receive webhooks: a table,
 * or memory where there is one process and a restart may handle an event twice.
 */
export interface WebhookLedger {
  /**
   * Decides and notes in one step, so that of two attempts at once only one is `new`. One that several processes share
   * answers `busy` from there to `finish` or `forget`, for a minute at most, as a process may die in between.
   */
  begin(delivery: WebhookDelivery): Promise<WebhookStanding>
  /** The delivery was handled. Needed where `begin` answers `busy`; within one process attempts take turns anyway. */
  finish?(delivery: WebhookDelivery): Promise<void>
  /** The delivery was not handled after all: the next attempt is `new` again. */
  forget(delivery: WebhookDelivery): Promise<void>
}
