import type { RequestLike } from '@countersign/guard/http'

/** A request, whichever server it came in by. */
export interface Incoming {
  readonly method: string
  readonly path: string
  /** For the token: the headers as they came. */
  readonly head: RequestLike
  header(name: string): string | undefined
  /** The parsed body. @throws BodyFault */
  readBody(maxBytes: number): Promise<unknown>
  /** For the SDK: without the token, and without the body, which it gets parsed. */
  toRequest(signal: AbortSignal): Request
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal
}

/** What is wrong with a body. */
export class BodyFault extends Error {
  override readonly name = 'BodyFault'
  readonly reason: 'too_large' | 'not_json'
  constructor(reason: 'too_large' | 'not_json', options?: ErrorOptions) {
    super(reason, options)
    this.reason = reason
  }
}

/** Headers that say whose token it is: handlers must not find them in the SDK's request. */
export const tokenHeaders: ReadonlySet<string> = new Set(['authorization', 'dpop', 'proxy-authorization', 'cookie'])

/** Headers of a body that the SDK gets parsed. */
export const bodyHeaders: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'content-encoding'])

/** UTF-8 without faults, and JSON; `__proto__` is a member like any other. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new BodyFault('not_json', { cause })
  }
}

/** @throws BodyFault `too_large`, with no more of it read than that */
export async function collect(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of chunks) {
    length += part.byteLength
    if (length > maxBytes) throw new BodyFault('too_large')
    parts.push(part)
  }
  return joinParts(parts, length)
}

export function joinParts(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}
