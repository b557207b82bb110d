import { fetchDocument as runtimeFetch } from '#fetch-document'
import type { DocumentAnswer } from './fetch-contract.ts'
import { endWithSignal } from './internal/end-with-signal.ts'
import { type RemoteJwksOptions, resolveJwksOptions } from './jwks-options.ts'

export interface ReadDocumentOptions extends RemoteJwksOptions {
  /** Ends the reading. */
  readonly signal?: AbortSignal
}

/**
 * Reads one document of an issuer, its metadata for example, within the limits that {@link remoteJwks} has for keys:
 * https (or loopback), no redirects, no private addresses, 3 s, 64 KiB.
 *
 * @returns the document, or why there is none; nothing that the other side does makes it throw
 * @throws TokensError `bad_option` or `insecure_url`
 */
export async function readDocument(url: string | URL, options: ReadDocumentOptions = {}): Promise<DocumentAnswer> {
  const { signal: ending, ...reading } = options
  const { addresses, clock, fetchDocument, limits, url: target } = resolveJwksOptions(url, reading, runtimeFetch)
  const abort = new AbortController()
  const stop = (): void => abort.abort()
  if (ending?.aborted === true) stop()
  ending?.addEventListener('abort', stop)
  const cancel = clock.after(limits.timeoutMs, stop)
  const { signal } = abort
  const request = { url: target, signal, maxBytes: limits.maxBytes, addresses, etag: undefined }
  const answer = await endWithSignal(fetchDocument, request)
  cancel()
  ending?.removeEventListener('abort', stop)
  return answer
}
