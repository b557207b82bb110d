import type { IncomingMessage, ServerResponse } from 'node:http'
import { BodyFault, bodyHeaders, type Incoming, joinParts, parseJson, tokenHeaders } from './incoming.ts'

/** A request of `node:http`; `parsedBody` is what a body parser made of it before. */
export function incomingOfNode(request: IncomingMessage, signal: AbortSignal, parsedBody: unknown): Incoming {
  const { headers, url = '/' } = request
  const method = (request.method ?? 'GET').toUpperCase()
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  // Express moves the part that it is mounted at out of `url`.
  const whole = 'originalUrl' in request && typeof request.originalUrl === 'string' ? request.originalUrl : url
  const query = whole.indexOf('?')
  return {
    method,
    path: query < 0 ? whole : whole.slice(0, query),
    head: { headers, rawHeaders: request.rawHeaders, url: whole },
    signal,
    header,
    async readBody(maxBytes) {
      if (parsedBody !== undefined) return parsedBody
      if (Number(headers['content-length']) > maxBytes) throw new BodyFault('too_large')
      return parseJson(await collect(request, maxBytes))
    },
    toRequest(ending) {
      const copied = new Headers()
      for (const name in headers) {
        const value = headers[name]
        if (value === undefined || name.startsWith(':') || tokenHeaders.has(name) || bodyHeaders.has(name)) continue
        if (typeof value === 'string') copied.set(name, value)
        else for (const one of value) copied.append(name, one)
      }
      return new Request(`http://${headers.host ?? 'localhost'}${whole}`, { method, headers: copied, signal: ending })
    },
  }
}

const longestText = 16_384
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Writes the answer out; stops, closing it, when `ended` aborts. */
export async function writeAnswer(
  response: Response,
  to: ServerResponse,
  ended: AbortSignal | undefined,
): Promise<void> {
  const headers: Record<string, string> = {}
  for (const [name, value] of response.headers) headers[name] = value
  const { body } = response
  const isStream = headers['content-type']?.startsWith('text/event-stream') === true
  const reader = body?.getReader()
  if (reader === undefined || !isStream) {
    const bytes = await wholeOf(reader)
    if (bytes !== undefined) headers['content-length'] = String(bytes.byteLength)
    to.writeHead(response.status, headers)
    // Text goes out with the head in one piece, bytes in a second one.
    to.end(bytes !== undefined && bytes.byteLength <= longestText ? utf8.decode(bytes) : bytes)
    return
  }
  to.writeHead(response.status, headers)
  // A stream that says nothing yet is open all the same.
  to.flushHeaders()
  let wake = (): void => {}
  const cut = (): void => {
    to.end()
    reader.cancel().catch(() => {})
    wake()
  }
  const awake = (): void => wake()
  ended?.addEventListener('abort', cut, { once: true })
  to.on('drain', awake)
  to.on('close', awake)
  try {
    if (ended?.aborted === true) return cut()
    for (;;) {
      const { done, value } = await reader.read()
      if (done || to.writableEnded || to.destroyed) break
      if (to.write(value)) continue
      await new Promise<void>((resolve) => {
        wake = resolve
        if (to.destroyed || to.writableEnded) resolve()
      })
    }
  } finally {
    ended?.removeEventListener('abort', cut)
    to.off('drain', awake)
    to.off('close', awake)
    reader.cancel().catch(() => {})
    if (!to.writableEnded) to.end()
  }
}

/** What a stream holds: nearly always one piece, which is not copied. */
async function wholeOf(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
    parts.push(next.value)
    length += next.value.byteLength
  }
  return reader === undefined ? undefined : joinParts(parts, length)
}

/** By events: an iterator would destroy the connection of a body that is too large, and the answer with it. */
function collect(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    let length = 0
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onFault).off('close', onClose)
    }
    const onData = (part: Uint8Array): void => {
      length += part.byteLength
      parts.push(part)
      if (length <= maxBytes) return
      stop()
      request.pause()
      reject(new BodyFault('too_large'))
    }
    const onEnd = (): void => {
      stop()
      resolve(joinParts(parts, length))
    }
    const onFault = (cause: unknown): void => {
      stop()
      reject(new BodyFault('not_json', { cause }))
    }
    const onClose = (): void => onFault(new Error('The request ended before its body did.'))
    request.on('data', onData).on('end', onEnd).on('error', onFault).on('close', onClose)
  })
}
