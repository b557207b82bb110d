import { RevocationError } from '../errors.ts'

/**
 * Takes server-sent events apart (WHATWG HTML, section 9.2.6), as far as the feed uses them: the data of each event.
 * Bounded: an event that grows past `maxBytes` is refused, not kept.
 */
export class ServerSentReader {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: false })
  readonly #maxBytes: number
  #line = ''
  #data: string[] = []
  #size = 0
  /** The last chunk ended with a carriage return: a line feed that follows belongs to it. */
  #afterReturn = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * @returns the events that the chunk completes
   * @throws RevocationError `too_large`
   */
  push(chunk: Uint8Array): readonly string[] {
    const events: string[] = []
    let text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return events
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1)
    this.#afterReturn = text.endsWith('\r')
    const lines = text.split(/\r\n|\r|\n/)
    this.#size += chunk.byteLength
    for (const [index, part] of lines.entries()) {
      if (index === 0) {
        this.#line += part
        if (lines.length === 1) break
      } else {
        this.#end(events)
        this.#line = part
      }
    }
    if (this.#size > this.#maxBytes)
      throw new RevocationError('too_large', 'An event is larger than "maxMessageBytes".')
    return events
  }

  #end(events: string[]): void {
    const line = this.#line
    if (line === '') {
      const event = this.#data.join('\n')
      if (event.length > this.#maxBytes) throw tooLarge()
      if (this.#data.length > 0) events.push(event)
      this.#data = []
      this.#size = 0
    } else if (line.startsWith('data:')) this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
    else if (line === 'data') this.#data.push('')
    // Comments, ids and other fields only count as a sign of life.
    if (this.#data.length === 0) this.#size = 0
  }
}

function tooLarge(): RevocationError {
  return new RevocationError('too_large', 'An event is larger than "maxMessageBytes".')
}
