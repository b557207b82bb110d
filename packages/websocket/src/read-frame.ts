import { maxNameLength } from './frames.ts'

/** A JSON object with a `type`; what else it has is still to be looked at. */
export interface ReadFrame {
  readonly type: string
  readonly id: string | undefined
  readonly members: Readonly<Record<string, unknown>>
}

/**
 * Reads one text frame: a JSON object nested at most `maxDepth` deep, with a `type` (and, if at all, an `id`) of 1 to
 * 64 characters, and no member twice. `undefined` for anything else.
 */
export function readFrame(text: string, maxDepth: number): ReadFrame | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  // Two members of one name are read differently by different parsers, so that such a frame has no meaning.
  if (countMembers(text, maxDepth) !== Object.keys(parsed).length) return undefined
  const members = parsed as Readonly<Record<string, unknown>>
  const { type, id } = members
  if (!isName(type) || !(id === undefined || isName(id))) return undefined
  // The prototype has neither, but an own `__proto__` of JSON is an own member: names are looked up one by one.
  return { type, id, members }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxNameLength
}

/** How many members are written down in the outermost object of well-formed JSON; −1 where it is nested deeper. */
function countMembers(json: string, maxDepth: number): number {
  const isEscaped = json.includes('\\')
  let count = 0
  let depth = 0
  for (let index = 0; index < json.length; index += 1) {
    switch (json.charCodeAt(index)) {
      case quote:
        index = isEscaped ? endOfString(json, index) : json.indexOf('"', index + 1)
        break
      case colon:
        if (depth === 1) count += 1
        break
      case openBrace:
      case openBracket:
        depth += 1
        if (depth > maxDepth) return -1
        break
      case closeBrace:
      case closeBracket:
        depth -= 1
        break
      default:
    }
  }
  return count
}

const quote = 0x22
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** Of JSON that has been parsed, so every string ends. */
function endOfString(json: string, start: number): number {
  let index = start + 1
  for (let code = json.charCodeAt(index); code !== quote; code = json.charCodeAt(index)) {
    index += code === backslash ? 2 : 1
  }
  return index
}
