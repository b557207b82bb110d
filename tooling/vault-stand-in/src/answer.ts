/** What the stand-in says: a status and, mostly, a JSON body. */
export interface Answer {
  readonly status: number
  readonly body?: unknown
}

export type Json = Readonly<Record<string, unknown>>

/** Vault's envelope around what was asked for. */
export function found(data: unknown, status = 200): Answer {
  return { status, body: envelope({ data }) }
}

export function envelope(members: Json): Json {
  return {
    request_id: crypto.randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
    ...members,
  }
}

export const done: Answer = { status: 204 }
/** An empty list, as Vault says it: nobody put words to it. */
export const missing: Answer = { status: 404, body: { errors: [] } }
export const denied: Answer = { status: 403, body: { errors: ['permission denied'] } }

export function refused(message: string, status = 400): Answer {
  return { status, body: { errors: [message] } }
}
