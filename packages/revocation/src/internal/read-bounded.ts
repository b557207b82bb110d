import { RevocationError } from '../errors.ts'

/** @throws RevocationError `too_large`; whatever the stream throws */
export async function readBounded(response: Response, maxBytes: number, limit: string): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  for (;;) {
    const part = await reader?.read()
    if (part === undefined || part.done) break
    length += part.value.byteLength
    if (length > maxBytes) {
      await reader?.cancel()
      throw new RevocationError('too_large', `The answer is larger than "${limit}".`)
    }
    parts.push(part.value)
  }
  if (parts.length === 1 && parts[0] !== undefined) return parts[0]
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
