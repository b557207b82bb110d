/**
 * Looks at what a client sends before it is authenticated, below the WebSocket library: that has one limit for a
 * socket's whole life, and counts neither pings nor unfinished frames. Only whole text frames and control frames may
 * come, and only so many bytes of them.
 */
export class FirstBytes {
  #left: number
  /** Bytes of the frame's header that are here; at most 2 + 8, the mask counts as payload. */
  readonly #header: number[] = []
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
      this.#header.push(chunk[index] ?? 0)
      index += 1
      const verdict = this.#look(chunk.length - index)
      if (verdict !== 'ok') return verdict
    }
    return 'ok'
  }

  /** @param ahead bytes of this chunk that were paid for already */
  #look(ahead: number): 'ok' | 'budget' | 'malformed' {
    const [first = 0, second] = this.#header
    const opcode = first & 0x0f
    const isWhole = (first & 0x80) !== 0
    // Continuations begin with a fragment that is refused here; reserved opcodes are the library's to refuse.
    if (opcode === 0 || opcode === 2 || (opcode === 1 && !isWhole)) return 'malformed'
    if (second === undefined) return 'ok'
    const short = second & 0x7f
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    if (this.#header.length < 2 + lengthBytes) return 'ok'
    let length = lengthBytes === 0 ? short : 0
    for (const byte of this.#header.slice(2)) length = length * 256 + byte
    this.#header.length = 0
    this.#payloadLeft = length + ((second & 0x80) === 0 ? 0 : 4)
    // What is announced counts, so that nobody waits for it.
    return this.#payloadLeft > this.#left + ahead ? 'budget' : 'ok'
  }
}
