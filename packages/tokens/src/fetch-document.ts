import { type DocumentAnswer, type FetchDocument, problemOf } from './fetch-contract.ts'

async function readBounded(response: Response, maxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder('utf-8')
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel()
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** Reads documents with this `fetch`. Addresses are not shown to it, so only literal ones can have been refused. */
export function documentsBy(fetchFunction: typeof fetch): FetchDocument {
  return async ({ url, signal, maxBytes, etag }) => {
    try {
      const response = await fetchFunction(url, {
        signal,
        redirect: 'manual',
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        headers: { accept: 'application/jwk-set+json, application/json', ...(etag && { 'if-none-match': etag }) },
      })
      const problem = problemOf(response.status)
      if (problem !== undefined) {
        await response.body?.cancel()
        return problem
      }
      const header = (name: string): string | undefined => response.headers.get(name) ?? undefined
      const text = await readBounded(response, maxBytes)
      if (text === undefined) return { ok: false, reason: 'too_large' }
      const status = response.status === 304 ? 304 : 200
      return { ok: true, status, text, cacheControl: header('cache-control'), age: header('age'), etag: header('etag') }
    } catch {
      return { ok: false, reason: 'network' } satisfies DocumentAnswer
    }
  }
}

export const fetchDocument: FetchDocument = (request) => documentsBy(globalThis.fetch)(request)
