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

/** `new`: handle it. `repeated`: it was handled, or is being. `late`: a later event about the same object was handled. */
export type WebhookStanding = 'new' | 'repeated' | 'late'

/**
 * Which deliveries were seen, and how far each object has come. One for all processes that receive webhooks: a table,
 * or memory where there is one process and a restart may handle an event twice.
 */
export interface WebhookLedger {
  /** Decides and notes in one step, so that of two attempts at once only one is `new`. */
  begin(delivery: WebhookDelivery): Promise<WebhookStanding>
  /** The delivery was not handled after all: the next attempt is `new` again. */
  forget(delivery: WebhookDelivery): Promise<void>
}
