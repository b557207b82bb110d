/** What stands where a secret stood. */
const mask = '[secret]'

/** How the issuer's own secrets begin; a test holds the list to `@countersign/issuer`. */
export const issuerSecretPrefixes: readonly string[] = ['cs_refresh_', 'cs_secret_']

export interface ScrubOptions {
  /**
   * Beginnings of further opaque secrets, such as `ghp_`; each is scrubbed together with the letters, digits, `_`
   * and `-` that follow. 3 to 32 characters each, at most 32 of them; others are not looked for.
   */
  readonly prefixes?: readonly string[]
}

/**
 * Takes what looks like a secret out of a text: JWTs and JWEs, PHC password hashes, credentials after `Bearer`, `Basic`,
 * `DPoP` or `Digest`, `Authorization` and `Cookie` values, private JWK members, PEM blocks, values of parameters and JSON
 * members named like secrets, and secrets with a known beginning. Characters that could forge a line or turn a terminal's text round
 * come out as `\uXXXX`. A line of JSON stays JSON; a second pass changes nothing; the work is linear in the text.
 *
 * This is the last of three nets (an allow-list of fields, the `Secret` type, this), not a licence to log tokens: a secret
 * without a recognisable form passes it.
 */
export type Scrub = (text: string) => string

// Every pattern meets JSON inside JSON: quotes may carry backslashes, and a word may follow the `n` of an escaped line
// break directly, so none begins with \b. Repetitions are bounded or cannot overlap: that keeps the work linear.

const pem = /-----BEGIN [A-Z0-9 ]{1,40}-----[^"]*?(?:-----END [A-Z0-9 ]{1,40}-----|(?=\\{0,8}"|$))/g
const passwordHashes =
  /\$(?:argon2(?:id|i|d)?|scrypt|pbkdf2[\w-]{0,16}|bcrypt[\w-]{0,16}|2[abxy]?|[567y])\$[^\s"\\]{8,}/g
const schemes =
  /(bearer|basic|dpop|digest)((?:\s|%20|\+|\\[tnr]){1,8})(?!(?:realm|error|error_description|error_uri|scope|resource_metadata|algs|charset)=)[\w.~+/=%-]{8,}/gi
const headers = /((?:authorization|cookie)\s{0,8}[:=]\s{0,8})(?!\[secret\])[^\s"\\][^"\\]*/gi
const privateMembers = /("(?:d|p|q|dp|dq|qi|k)\\{0,8}"\s{0,8}:\s{0,8}\\{0,8}")[\w-]{16,}/g
const named =
  /((?:password|passwd|passphrase|secret|token|assertion|verifier|api_?key|private_?key|credential)(?:(?:=|%3D)(?!\[secret\])|\\{0,8}"\s{0,8}:\s{0,8}\\{0,8}"))[^\s&"'\\,;)]+/gi
const secretName =
  /(?:password|passwd|passphrase|secret|token|assertion|verifier|api_?key|private_?key|credential|^(?:[dpqk]|d[pq]|qi))$/i
/** DEL and C1 controls, line and paragraph separators, direction marks: JSON leaves them as they are. */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function isTokenCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45
  )
}

/** Where three long segments begin, which are a JWT by shape whatever its first bytes are; -1: nowhere. */
function threeSegments(run: string): number {
  const segments = run.split('.')
  let offset = 0
  for (let index = 0; index + 2 < segments.length; index += 1) {
    const [first = '', second = '', third = ''] = segments.slice(index, index + 3)
    if (first.length >= 16 && second.length >= 16 && third.length >= 20) return offset
    offset += first.length + 1
  }
  return -1
}

/** One run of base64url characters and dots, without what is a JWT or a JWE in it. */
function scrubRun(run: string): string {
  // base64url of `{"`, anywhere: a JWT may follow other token characters without a gap.
  const json = run.indexOf('eyJ')
  const starts = [
    json >= 0 && run.length - json >= 20 && run.indexOf('.', json) > 0 ? json : -1,
    threeSegments(run),
  ].filter((start) => start >= 0)
  return starts.length === 0 ? run : run.slice(0, Math.min(...starts)) + mask
}

/** Looks at the runs around dots only: few lines have many, and a regular expression for this took three times as long. */
function scrubTokens(text: string): string {
  let clean = ''
  let done = 0
  for (let dot = text.indexOf('.'); dot >= 0; ) {
    let start = dot
    while (start > done && isTokenCharacter(text.charCodeAt(start - 1))) start -= 1
    // The letters of a JSON escape (\n, \u0041) are no part of the run: cutting them would break the line.
    if (text.charCodeAt(start - 1) === 92) start = Math.min(dot, start + (text.charCodeAt(start) === 117 ? 5 : 1))
    let end = dot + 1
    while (end < text.length && (text.charCodeAt(end) === 46 || isTokenCharacter(text.charCodeAt(end)))) end += 1
    if (end - start >= 20) {
      clean += text.slice(done, start) + scrubRun(text.slice(start, end))
      done = end
    }
    dot = text.indexOf('.', end)
  }
  return done === 0 ? text : clean + text.slice(done)
}

/**
 * True for a word in which, as a JSON string, a {@link Scrub} without prefixes of one's own finds nothing: most ids. Looking
 * at one takes a twentieth of what scrubbing it takes.
 */
export function isHarmlessWord(word: string): boolean {
  return /^[\w-]*$/.test(word) && !issuerSecretPrefixes.some((prefix) => word.includes(prefix))
}

/** True for a name of a JSON member whose value, if it is a harmless word, is no secret by that name. */
export function isHarmlessName(name: string): boolean {
  return isHarmlessWord(name) && !secretName.test(name)
}

/** Each replaces something, so lines settle after two or three. */
const mostPasses = 8

/** Makes a {@link Scrub} that also knows one's own prefixes. */
export function createScrub(options: ScrubOptions = {}): Scrub {
  const further = (options.prefixes ?? []).filter((prefix) => /^[\w-]{3,32}$/.test(prefix)).slice(0, 32)
  const prefixes = [...issuerSecretPrefixes, ...further].join('|')
  const own = new RegExp(`(?<!\\\\)(?:${prefixes})[\\w-]{8,}`, 'g')
  const pass = (text: string): string => {
    let clean = text
    // Plain searches first, where a literal opens the pattern: they are nearly free and most lines hold none.
    if (clean.includes('-----BEGIN ')) clean = clean.replace(pem, mask)
    if (clean.includes('$')) clean = clean.replace(passwordHashes, mask)
    clean = clean.replace(own, mask)
    return scrubTokens(clean)
      .replace(schemes, `$1$2${mask}`)
      .replace(headers, `$1${mask}`)
      .replace(privateMembers, `$1${mask}`)
      .replace(named, `$1${mask}`)
      .replace(unprintable, escapeCharacter)
  }
  // What was replaced may leave something beside it that reads as a secret now. A clean line is looked through once.
  return (text) => {
    let before = text
    let clean = pass(text)
    for (let turn = 1; turn < mostPasses && clean !== before; turn += 1) {
      before = clean
      clean = pass(clean)
    }
    return clean
  }
}
