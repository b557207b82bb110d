/**
 * Looks at what a client sends before it is authenticated, below the WebSocket library: that has one limit for a
 * socket's whole life, and counts neither pings nor unfinished frames. Only whole text frames and control frames may
 * come, and only so many bytes of them.
 */
export class FirstBytes {
  #left: number
  /** Bytes of the frame's header that are here; at most 2 + 8, the mask counts as payload. */
  #headerBytes = 0
  #lengthBytes = 0
  #length = 0
  #maskBytes = 0
  #payloadLeft = 0

  constructor(budget: number) {
    this.#left = budget
  }

  take(chunk: Uint8Array): 'ok' | 'budget' | 'malformed' {
    this.#left -= chunk.length
    if (this.#left < 0) return 'budget'
    for (let index = 0; index < chunk.length; ) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - index)
        this.#payloadLeft -= skipped
        index += skipped
        continue
      }
      const byte = chunk[index] ?? 0
      index += 1
      const verdict = this.#takeOfHeader(byte, chunk.length - index)
      if (verdict !== 'ok') return verdict
    }
    return 'ok'
  }

  /** @param ahead bytes of this chunk that were paid for already */
  #takeOfHeader(byte: number, ahead: number): 'ok' | 'budget' | 'malformed' {
    this.#headerBytes += 1
    if (this.#headerBytes === 1) return mayBegin(byte) ? 'ok' : 'malformed'
    if (this.#headerBytes === 2) {
      const short = byte & 0x7f
      this.#maskBytes = (byte & 0x80) === 0 ? 0 : 4
      this.#lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
      this.#length = this.#lengthBytes === 0 ? short : 0
    } else this.#length = this.#length * 256 + byte
    if (this.#headerBytes < 2 + this.#lengthBytes) return 'ok'
    this.#headerBytes = 0
    this.#payloadLeft = this.#length + this.#maskBytes
    // What is announced counts, so that nobody waits for it.
    return this.#payloadLeft > this.#left + ahead ? 'budget' : 'ok'
  }
}

/** Continuations begin with a fragment that is refused here; reserved opcodes are the library's to refuse. */
function mayBegin(byte: number): boolean {
  const opcode = byte & 0x0f
  const isWhole = (byte & 0x80) !== 0
  return opcode === 1 ? isWhole : opcode !== 0 && opcode !== 2
}
