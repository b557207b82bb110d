/** Which addresses a host name may stand for. */
export type AddressPolicy = 'public' | 'loopback' | 'any'

export interface DocumentRequest {
  readonly url: URL
  /** Ends the whole exchange, body included. */
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** Held against every address that the name resolves to, where the runtime shows them (Node). */
  readonly addresses: AddressPolicy
  /** For `If-None-Match`. */
  readonly etag: string | undefined
}

/** Why there is no document. */
export type DocumentProblem = 'network' | 'status' | 'redirect' | 'too_large' | 'refused_address'

/** `text` is empty for 304; anything else than 200 and 304 is a problem. */
export type DocumentAnswer =
  | {
      readonly ok: true
      readonly status: 200 | 304
      readonly text: string
      readonly cacheControl: string | undefined
      readonly age: string | undefined
      readonly etag: string | undefined
    }
  | { readonly ok: false; readonly reason: DocumentProblem; readonly status?: number }

/** Reads one document over HTTP: no redirects, no credentials, no caches between, never more than `maxBytes`. Never throws. */
export type FetchDocument = (request: DocumentRequest) => Promise<DocumentAnswer>

/** The verdict on a status before the body is read; `undefined` for 200 and 304. */
export function problemOf(status: number): Extract<DocumentAnswer, { ok: false }> | undefined {
  if (status === 200 || status === 304) return undefined
  // 0 is what a browser shows of a redirect that it was told not to follow.
  const redirect = status === 0 || (status >= 300 && status < 400)
  return { ok: false, reason: redirect ? 'redirect' : 'status', status }
}
