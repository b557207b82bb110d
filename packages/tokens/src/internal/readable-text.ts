import { engine } from '#engine'
import { parseStrictObject } from './strict-json.ts'

/** Longest value shown, in characters. */
const longest = 120

/**
 * One value of a token for people to read: the text of `header.…` or `claims.…`, cut, without control characters.
 *
 * @returns `undefined` when there is none
 */
export function readableText(token: string, where: string): string | undefined {
  const [part, name] = where.split('.')
  const segment = token.split('.')[part === 'header' ? 0 : 1]
  const text = segment === undefined ? undefined : engine.decodeText(segment)
  const members = text === undefined ? undefined : parseStrictObject(text)
  if (members === undefined || name === undefined || !Object.hasOwn(members, name)) return undefined
  const value = members[name]
  const shown = typeof value === 'string' ? value : JSON.stringify(value)
  const clean = shown.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '\ufffd')
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean
}
