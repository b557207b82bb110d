/** Deepest nesting of arrays and objects in a token, and most members and elements in all. */
export const jsonBounds: { readonly depth: number; readonly entries: number } = { depth: 8, entries: 512 }

const whiteSpace = /[ \t\n\r]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 forbids exactly these
const stringToken = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y
const literalToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

function fail(): never {
  throw new SyntaxError()
}

/** One text being read (RFC 8259), strictly. */
class JsonReader {
  readonly #text: string
  #at = 0
  #entries = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): unknown {
    const value = this.#value(1)
    if (this.#at !== this.#text.length) fail()
    return value
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? fail()
    this.#at += found.length
    return found
  }

  /** Takes this character, and white space around it. */
  #takes(character: string): boolean {
    this.#take(whiteSpace)
    if (this.#text[this.#at] !== character) return false
    this.#at++
    this.#take(whiteSpace)
    return true
  }

  #string(): string {
    return JSON.parse(this.#take(stringToken)) as string
  }

  #count(): void {
    if (++this.#entries > jsonBounds.entries) fail()
  }

  #value(depth: number): unknown {
    if (this.#takes('{')) return this.#object(depth)
    if (this.#takes('[')) return this.#array(depth)
    if (this.#text[this.#at] === '"') return this.#string()
    return JSON.parse(this.#take(literalToken))
  }

  #object(depth: number): object {
    if (depth > jsonBounds.depth) fail()
    const object: Record<string, unknown> = {}
    if (this.#takes('}')) return Object.freeze(object)
    do {
      this.#count()
      const name = this.#string()
      if (name === '__proto__' || Object.hasOwn(object, name)) fail()
      if (!this.#takes(':')) fail()
      object[name] = this.#value(depth + 1)
    } while (this.#takes(','))
    if (!this.#takes('}')) fail()
    return Object.freeze(object)
  }

  #array(depth: number): readonly unknown[] {
    if (depth > jsonBounds.depth) fail()
    const array: unknown[] = []
    if (this.#takes(']')) return Object.freeze(array)
    do {
      this.#count()
      array.push(this.#value(depth + 1))
    } while (this.#takes(','))
    if (!this.#takes(']')) fail()
    return Object.freeze(array)
  }
}

/**
 * Reads JSON without `JSON.parse` for its objects: the V8 of Node 24 takes an escaped member name for another name, one
 * that begins with a backslash, if an object with that other name was parsed before (`{"a":1,"\n":2}` after
 * `{"a":1,"\\":2}`).
 *
 * @returns the value, deeply frozen
 * @throws SyntaxError on anything that is not JSON, a name twice in one object, `__proto__`, or a bound passed
 */
export function readJson(text: string): unknown {
  return new JsonReader(text).document()
}
