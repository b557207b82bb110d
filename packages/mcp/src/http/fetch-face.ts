import { BodyFault, bodyHeaders, collect, type Incoming, parseJson, tokenHeaders } from './incoming.ts'

/** A request of the web's own shape. */
export function incomingOf(request: Request): Incoming {
  const { pathname } = new URL(request.url)
  return {
    method: request.method.toUpperCase(),
    path: pathname,
    head: request,
    signal: request.signal,
    header: (name) => request.headers.get(name) ?? (name === 'host' ? new URL(request.url).host : undefined),
    async readBody(maxBytes) {
      if (Number(request.headers.get('content-length')) > maxBytes) throw new BodyFault('too_large')
      return parseJson(request.body === null ? new Uint8Array() : await collect(request.body, maxBytes))
    },
    toRequest(signal) {
      const headers = new Headers(request.headers)
      for (const name of [...tokenHeaders, ...bodyHeaders]) headers.delete(name)
      return new Request(request.url, { method: request.method, headers, signal })
    },
  }
}

/** The same answer, whose stream ends when `ended` aborts; `release` is called once it is over. */
export function endingWith(response: Response, ended: AbortSignal, release: () => void): Response {
  if (response.body === null) {
    release()
    return response
  }
  const reader = response.body.getReader()
  let isOver = false
  const finish = (): void => {
    if (isOver) return
    isOver = true
    ended.removeEventListener('abort', cut)
    release()
  }
  const cut = (): void => {
    if (isOver) return
    finish()
    controller?.close()
    reader.cancel().catch(() => {})
  }
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start(started) {
      controller = started
    },
    async pull(pulled) {
      try {
        const { done, value } = await reader.read()
        if (isOver) return
        if (done) {
          finish()
          pulled.close()
        } else pulled.enqueue(value)
      } catch (fault) {
        if (isOver) return
        finish()
        pulled.error(fault)
      }
    },
    cancel(reason) {
      finish()
      return reader.cancel(reason)
    },
  })
  if (ended.aborted) cut()
  else ended.addEventListener('abort', cut, { once: true })
  return new Response(body, { status: response.status, headers: response.headers })
}
