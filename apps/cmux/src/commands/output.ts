import { stripVTControlCharacters } from 'node:util'

/** Most characters of one event, and how long output waits for more of it. */
export const outputLimits = { characters: 8_192, waitMs: 50 } as const

/** Everything but tabs and line ends: a terminal that shows the feed must not take orders from it. */
const controls = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu

function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\r\n', '\n').replaceAll(controls, keepLayout)
}

const keepLayout = (character: string): string => (character === '\n' || character === '\t' ? character : '')

/** Gathers the bytes of a stream into texts: whole characters, no control sequences, 50 ms or 8,192 characters of it. */
export class OutputText {
  readonly #decoder = new TextDecoder()
  readonly #emit: (text: string) => void
  #waiting = ''
  #timer: NodeJS.Timeout | undefined

  constructor(emit: (text: string) => void) {
    this.#emit = emit
  }

  push(bytes: Uint8Array): void {
    this.#waiting += this.#decoder.decode(bytes, { stream: true })
    if (this.#waiting.length >= outputLimits.characters) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), outputLimits.waitMs)
  }

  end(): void {
    this.#waiting += this.#decoder.decode()
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = plain(this.#waiting)
    this.#waiting = ''
    for (let at = 0; at < text.length; ) {
      const end = wholeEnd(text, at + outputLimits.characters)
      this.#emit(text.slice(at, end))
      at = end
    }
  }
}

/** One less, where that would part the two halves of a character. */
function wholeEnd(text: string, end: number): number {
  return end < text.length && (text.codePointAt(end - 1) ?? 0) > 0xffff ? end - 1 : end
}
