import type { TokenSource } from './create-token-source.ts'

/**
 * A `fetch` with the source's token in the Authorization header. A 401 is answered once with another token, where the body
 * can be sent again (text, bytes, a form; not a stream). Use it for one server: the token goes wherever the URL says.
 */
export function authorizedFetch(source: Pick<TokenSource, 'getToken'>, request: typeof fetch = fetch): typeof fetch {
  return async (input, init = {}) => {
    const streamed = input instanceof Request || init.body instanceof ReadableStream
    const ask = (token: string): Promise<Response> => {
      const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined))
      headers.set('authorization', `Bearer ${token}`)
      return request(input, { ...init, headers })
    }
    const signal = init.signal ?? undefined
    const heeding = signal === undefined ? {} : { signal }
    const token = await source.getToken(heeding)
    const response = await ask(token)
    if (response.status !== 401 || streamed) return response
    const other = await source.getToken({ reason: 'rejected', token, ...heeding })
    if (other === token) return response
    await response.body?.cancel()
    return ask(other)
  }
}
