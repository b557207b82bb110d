import { TokensError } from './tokens-error.ts'

/** RFC 6749 section 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const scopeText = /^(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?$/

/** Longest `scope` value, in characters. */
export const longestScope = 4096

/** True for a `scope` value: scope tokens with one space between, or nothing; each at most once is not asked. */
export function isScope(text: string): boolean {
  return text.length <= longestScope && scopeText.test(text)
}

/**
 * The scopes of a `scope` value (RFC 6749 section 3.3), in order, each once. The empty string holds none.
 *
 * @throws TokensError `bad_option` on anything else than scope tokens with one space between, at most 4,096 characters
 */
export function parseScope(scope: string): readonly string[] {
  if (!isScope(scope)) throw new TokensError('bad_option', 'A scope is scope tokens with exactly one space between.')
  return scope === '' ? [] : [...new Set(scope.split(' '))]
}

/**
 * The `scope` value for these scopes, in order, each once.
 *
 * @throws TokensError `bad_option` on a scope that RFC 6749 section 3.3 does not allow, or more than 4,096 characters
 */
export function formatScope(scopes: Iterable<string>): string {
  const once = new Set(scopes)
  for (const scope of once) {
    if (!scopeToken.test(scope))
      throw new TokensError('bad_option', 'A scope has printable ASCII without " and \\ only.')
  }
  const text = [...once].join(' ')
  if (text.length > longestScope) throw new TokensError('bad_option', `A scope has at most ${longestScope} characters.`)
  return text
}
