import { inspect } from 'node:util'

/** A secret that came out, where, and in which disguise. Never holds the secret itself. */
export interface Leak {
  readonly secret: string
  readonly where: string
  readonly form: string
}

/** Plants secrets, looks at everything that comes out, and tells what leaked. */
export interface Canary {
  /** At least 8 characters; shorter ones turn up by chance. @returns the value */
  plant(name: string, value: string): string
  /** A text or bytes as they are; anything else as it would be printed, deeply, hidden members included. */
  see(where: string, output: unknown): void
  /** Each secret once for a place and form. Secrets planted after the output was seen count too. */
  leaks(): readonly Leak[]
}

/** Forms that hold part of a secret only are told from chance by this many characters. */
const leastFragment = 16

/** The parts of a base64 text that do not depend on what stands before or after the secret: one for each alignment. */
function base64Cores(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  const cores: string[] = []
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(encoding)
      .replaceAll('=', '')
    const first = Math.ceil((shift * 8) / 6)
    const last = Math.floor(((shift + bytes.length) * 8) / 6)
    cores.push(text.slice(first, last))
  }
  return cores
}

function percentEveryByte(bytes: Buffer): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Each form with its texts; compared without regard to case where the encoding has none. */
function formsOf(value: string): [form: string, texts: string[], ignoreCase: boolean][] {
  const bytes = Buffer.from(value)
  const encoded = encodeURIComponent(value)
  const forms: [string, string[], boolean][] = [
    ['plain', [value], false],
    ['JSON', [JSON.stringify(value).slice(1, -1)], false],
    ['base64', base64Cores(bytes, 'base64'), false],
    ['base64url', base64Cores(bytes, 'base64url'), false],
    ['hex', [bytes.toString('hex')], true],
    ['URL', [encoded, encoded.replaceAll('%20', '+'), percentEveryByte(bytes)], true],
    ['reversed', [[...value].reverse().join('')], false],
  ]
  if (value.length >= leastFragment * 1.5) {
    // A token that was cut is still half a token. Its end is looked for: beginnings (JWT headers, prefixes) are no secrets.
    forms.push(['fragment', [value.slice(-leastFragment)], false])
  }
  return forms
}

function printed(output: unknown): string {
  if (typeof output === 'string') return output
  if (output instanceof Uint8Array) return Buffer.from(output).toString('latin1')
  const deep = inspect(output, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null })
  let json = ''
  try {
    json = JSON.stringify(output) ?? ''
  } catch {
    // Cycles and the like: the inspection above has them.
  }
  return output instanceof Error ? `${deep}\n${json}\n${String(output)}\n${output.stack ?? ''}` : `${deep}\n${json}`
}

/**
 * For tests: proves that no secret is in any log line, error, metric or URL, plain, cut, reversed, as JSON, base64 (in
 * every alignment, so also inside `user:secret`), base64url, hex or percent-encoded.
 *
 * @example
 * const canary = createCanary()
 * const password = canary.plant('password', 'correct horse battery staple')
 * canary.see('log', lines.join(''))
 * canary.see('metrics', await metrics.registry.metrics())
 * expect(canary.leaks()).toEqual([])
 */
export function createCanary(): Canary {
  const secrets = new Map<string, string>()
  const seen: { where: string; text: string }[] = []
  return {
    plant(name, value) {
      if (value.length < 8) throw new RangeError('a canary needs at least 8 characters')
      secrets.set(name, value)
      return value
    },
    see(where, output) {
      seen.push({ where, text: printed(output) })
    },
    leaks() {
      const found = new Map<string, Leak>()
      const outputs = seen.map((output) => ({ ...output, lower: output.text.toLowerCase() }))
      for (const [secret, value] of secrets) {
        for (const [form, texts, ignoreCase] of formsOf(value)) {
          for (const { where, text, lower } of outputs) {
            const hit = texts.some((each) => (ignoreCase ? lower.includes(each.toLowerCase()) : text.includes(each)))
            if (hit) found.set(JSON.stringify([secret, where, form]), { secret, where, form })
          }
        }
      }
      return [...found.values()]
    },
  }
}
