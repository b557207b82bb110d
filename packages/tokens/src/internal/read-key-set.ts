import * as z from 'zod'
import { importPublicJwk } from '../import-public-jwk.ts'
import type { PublicJwk } from '../key-source.ts'

/** Why a document is not taken as a key set. */
export type KeySetProblem = 'not_a_key_set' | 'too_many_keys' | 'no_usable_key' | 'duplicate_kid'

/** A usable key and the text it came from, by which the next reading knows it again. */
export interface ReadKey {
  readonly text: string
  readonly key: PublicJwk
}

export type KeySetReading =
  | { readonly ok: true; readonly keys: ReadonlyMap<string, ReadKey>; readonly skipped: number }
  | { readonly ok: false; readonly reason: KeySetProblem }

/** Most keys in a set, usable or not. */
export const mostKeys = 32

const setSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })

function tryImport(value: unknown): PublicJwk | undefined {
  try {
    return importPublicJwk(value)
  } catch {
    return undefined
  }
}

function isSame(left: PublicJwk, right: PublicJwk): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `undefined` for what is nested so deeply that the engine's stack does not reach: its parser reads even that. */
function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/**
 * Reads a JWKS document. Keys that are of no use here (another type, curve or `use`, weak, with private members) are
 * skipped; a key that has not changed stays the very same object.
 */
export function readKeySet(text: string, previous: ReadonlyMap<string, ReadKey>): KeySetReading {
  const parsed = setSchema.safeParse(parse(text))
  if (!parsed.success) return { ok: false, reason: 'not_a_key_set' }
  const values = parsed.data.keys
  if (values.length > mostKeys) return { ok: false, reason: 'too_many_keys' }
  const keys = new Map<string, ReadKey>()
  let skipped = 0
  for (const value of values) {
    const valueText = textOf(value)
    const before = typeof value.kid === 'string' ? previous.get(value.kid) : undefined
    const key = before !== undefined && before.text === valueText ? before.key : tryImport(value)
    if (key === undefined || valueText === undefined) {
      skipped++
      continue
    }
    if (keys.has(key.kid)) return { ok: false, reason: 'duplicate_kid' }
    keys.set(key.kid, { text: valueText, key: before !== undefined && isSame(before.key, key) ? before.key : key })
  }
  return keys.size === 0 ? { ok: false, reason: 'no_usable_key' } : { ok: true, keys, skipped }
}
