import type { PublicJwk } from '@countersign/tokens'
import type { RevocationEntry } from '../entry.ts'
import { RevocationError } from '../errors.ts'

/**
 * An entry as one line of text, the same in snapshots, deltas and digests; fields with tabs between, since no id has one:
 *
 *     j ID UNTIL        token              c ID MIN UNTIL    client          k ID JWK    key, and its successor or nothing
 *     s ID UNTIL        session            u ID MIN UNTIL    subject         g  MIN UNTIL    global
 */
export const letters = { jti: 'j', sid: 's', kid: 'k', client: 'c', subject: 'u', global: 'g' } as const

/** `until` and generations fit into 32 bits, unsigned. */
const most = 0xffff_ffff

/** Longest id, in characters; of a kid 128 (as in a token's header). */
export const longestId = 512
/** Longest line, in bytes: an id of four bytes a character, or a successor key. */
export const longestLine = 8_192

const controlOrSurrogate = /[\p{Cc}\p{Cs}]/u

/** Written in this order, so that one key has one spelling. */
const jwkMembers = ['kty', 'alg', 'kid', 'use', 'crv', 'x', 'y', 'n', 'e'] as const

/** @throws RevocationError `bad_entry` for what cannot be written, or not be read back */
export function writeEntry(entry: RevocationEntry): string {
  const letter = letters[entry.type]
  if (letter === undefined) throw badEntry('type')
  if (entry.type === 'global') return `g\t\t${numberOf(entry, 'minGeneration')}\t${numberOf(entry, 'until')}`
  const { id } = entry
  if (typeof id !== 'string' || id === '' || id.length > longestId || controlOrSurrogate.test(id)) throw badEntry('id')
  if (entry.type === 'kid') {
    const line = `k\t${id}\t${entry.successor === undefined ? '' : writeJwk(entry.successor)}`
    if (line.length * 3 > longestLine) throw badEntry('successor')
    return line
  }
  const generational = entry.type === 'client' || entry.type === 'subject'
  const minGeneration = generational ? `${numberOf(entry, 'minGeneration')}\t` : ''
  return `${letter}\t${id}\t${minGeneration}${numberOf(entry, 'until')}`
}

/** @throws RevocationError `bad_message` for anything that {@link writeEntry} does not write */
export function readEntry(line: string): RevocationEntry {
  const [letter, id = '', third = '', fourth = '', ...more] = line.split('\t')
  const entry = more.length > 0 ? undefined : toEntry(letter, id, third, fourth)
  if (entry === undefined || writeAgain(entry) !== line)
    throw new RevocationError('bad_message', 'An entry has another form.')
  return entry
}

function toEntry(letter: string | undefined, id: string, third: string, fourth: string): RevocationEntry | undefined {
  switch (letter) {
    case 'j':
      return { type: 'jti', id, until: Number(third) }
    case 's':
      return { type: 'sid', id, until: Number(third) }
    case 'c':
      return { type: 'client', id, minGeneration: Number(third), until: Number(fourth) }
    case 'u':
      return { type: 'subject', id, minGeneration: Number(third), until: Number(fourth) }
    case 'g':
      return { type: 'global', minGeneration: Number(third), until: Number(fourth) }
    case 'k': {
      const successor = third === '' ? undefined : parseJwk(third)
      return successor === undefined ? { type: 'kid', id } : { type: 'kid', id, successor }
    }
    default:
      return undefined
  }
}

/** One entry has one spelling: what is not written the same again was not written by us. */
function writeAgain(entry: RevocationEntry): string | undefined {
  try {
    return writeEntry(entry)
  } catch {
    return undefined
  }
}

function writeJwk(jwk: PublicJwk): string {
  const copy: Record<string, string> = {}
  for (const name of jwkMembers) {
    const value = jwk[name]
    if (value === undefined) continue
    if (typeof value !== 'string') throw badEntry('successor')
    copy[name] = value
  }
  return JSON.stringify(copy)
}

/** Not yet a key to be trusted with: whoever uses it imports it first. */
function parseJwk(text: string): PublicJwk | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as PublicJwk) : undefined
  } catch {
    return undefined
  }
}

function numberOf<Name extends string>(entry: { readonly [Key in Name]: number }, name: Name): number {
  const value: unknown = entry[name]
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) throw badEntry(name)
  return value
}

function badEntry(what: string): RevocationError {
  return new RevocationError('bad_entry', `The entry's "${what}" cannot be written into the feed.`)
}
