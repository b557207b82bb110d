const shown = '[secret]'

/**
 * Holds a value that must not be printed. However it is printed (JSON, `util.inspect`, a template string, `String()`,
 * a spread, a clone), it reads `[secret]` or is empty; only {@link reveal} gives the value back.
 *
 * @example A password from a prompt
 * const password = new Secret(await readPassword())
 * console.log({ password })             // { password: [secret] }
 * await signIn('ada', password.reveal())
 */
export class Secret<Value = string> {
  // A private field is invisible to JSON, Object.keys, structuredClone and util.inspect (also with showHidden).
  readonly #value: Value
  static {
    Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: () => shown })
  }
  constructor(value: Value) {
    this.#value = value
    Object.freeze(this)
  }
  /** The value itself. Call it where the value is used, not earlier. */
  reveal(): Value {
    return this.#value
  }
  toString(): string {
    return shown
  }
  toJSON(): string {
    return shown
  }
  [Symbol.toPrimitive](): string {
    return shown
  }
}
