import type { KeyRecord, KeyRingDocument, KeyState } from './document.ts'
import { KeysError } from './keys-error.ts'

/** Where each state may go. No edge goes back; `revoked` is the end from anywhere. */
const edges: Readonly<Record<KeyState, readonly KeyState[]>> = {
  pending: ['published', 'revoked'],
  published: ['active', 'revoked'],
  active: ['retiring', 'revoked'],
  retiring: ['retired', 'revoked'],
  retired: ['revoked'],
  revoked: [],
}

const ranks: Readonly<Record<KeyState, number>> = {
  pending: 0,
  published: 1,
  active: 2,
  retiring: 3,
  retired: 4,
  revoked: 5,
}

/** How many retired keys keep their metadata; revoked ones always do. Seventy years of monthly rotation. */
const mostRetired = 1000

/** One key's step, for the audit log and the events. */
export interface Transition {
  readonly kid: string
  readonly from: KeyState | null
  readonly to: KeyState
}

/** The next version of a ring, and how it differs. */
export interface Change {
  readonly document: KeyRingDocument
  readonly transitions: readonly Transition[]
}

export const isStandby = ({ state }: KeyRecord): boolean => state === 'pending' || state === 'published'
export const isPublic = ({ state }: KeyRecord): boolean =>
  state === 'published' || state === 'active' || state === 'retiring'

export function findKey(document: KeyRingDocument, kid: string): KeyRecord | undefined {
  return document.keys.find((key) => key.kid === kid)
}

/** @throws KeysError `ring_invalid` when not exactly one key is active */
export function activeKey(document: KeyRingDocument): KeyRecord {
  const active = document.keys.filter(({ state }) => state === 'active')
  if (active.length !== 1 || active[0] === undefined) {
    throw new KeysError('ring_invalid', `the ring ${document.name} has ${active.length} active keys instead of one`)
  }
  return active[0]
}

/** The next key to be active: the oldest of those that have not signed. */
export function standbyKey(document: KeyRingDocument): KeyRecord | undefined {
  return document.keys.find(({ state }) => state === 'published') ?? document.keys.find(isStandby)
}

/** When the key came into the state that it is in. */
export function enteredAt(key: KeyRecord): number {
  const instants: Readonly<Record<KeyState, number | undefined>> = {
    pending: key.createdAt,
    published: key.publishedAt,
    active: key.activatedAt,
    retiring: key.retiringAt,
    retired: key.retiredAt,
    revoked: key.revokedAt,
  }
  return instants[key.state] ?? key.createdAt
}

/** Instants in a document never go back, whatever the clock does, and have whole milliseconds. */
function stamp(document: KeyRingDocument, now: number): number {
  return Math.max(Math.round(now * 1000) / 1000, document.updatedAt)
}

/** What some moves bring along. */
interface MoveDetails {
  /** With `active`: the longest life of the tokens to come. */
  readonly lifeSeconds?: number
  /** With `revoked`. */
  readonly reason?: string
}

function moved(key: KeyRecord, to: KeyState, at: number, { lifeSeconds, reason }: MoveDetails): KeyRecord {
  if (!edges[key.state].includes(to)) {
    throw new KeysError('wrong_state', `the key ${key.kid} is ${key.state}: it cannot become ${to}`)
  }
  const { sealedPrivateKey, ...rest } = key
  const kept = sealedPrivateKey === undefined ? rest : key
  if (to === 'published') return { ...kept, state: to, publishedAt: at }
  if (to === 'active') return { ...kept, state: to, activatedAt: at, ...longestLife(lifeSeconds) }
  if (to === 'retiring') return { ...kept, state: to, retiringAt: at }
  // The private half is destroyed with the last reason to have it.
  if (to === 'retired') return { ...rest, state: to, retiredAt: at }
  return { ...rest, state: 'revoked', revokedAt: at, ...(reason === undefined ? {} : { revokedReason: reason }) }
}

const longestLife = (lifeSeconds: number | undefined): Pick<KeyRecord, 'longestLifeSeconds'> =>
  lifeSeconds === undefined ? {} : { longestLifeSeconds: lifeSeconds }

/** Keys move by `moves` (kid → state), `added` ones join at the end. */
function change(
  document: KeyRingDocument,
  now: number,
  moves: ReadonlyMap<string, KeyState>,
  added: readonly KeyRecord[] = [],
  details: MoveDetails = {},
): Change {
  const at = stamp(document, now)
  const transitions: Transition[] = []
  const kept = document.keys.map((key) => {
    const to = moves.get(key.kid)
    if (to === undefined) return key
    transitions.push({ kid: key.kid, from: key.state, to })
    return moved(key, to, at, details)
  })
  for (const key of added) transitions.push({ kid: key.kid, from: null, to: key.state })
  const retired = kept.filter(({ state }) => state === 'retired')
  const dropped = new Set(retired.slice(0, Math.max(0, retired.length - mostRetired)))
  const keys = [...kept.filter((key) => !dropped.has(key)), ...added]
  return { document: { ...document, version: document.version + 1, updatedAt: at, keys }, transitions }
}

/** What is known of a fresh key before the ring takes it in. */
export type MintedKey = Pick<KeyRecord, 'kid' | 'publicJwk' | 'sealedPrivateKey' | 'heldIn'>

const signingAtOnce = (key: MintedKey, at: number, lifeSeconds: number): KeyRecord => ({
  ...key,
  state: 'active',
  createdAt: at,
  publishedAt: at,
  activatedAt: at,
  longestLifeSeconds: lifeSeconds,
})

/** A new ring. Its first key signs at once, since nobody holds a cache yet. */
export function foundRing(
  identity: Pick<KeyRingDocument, 'name' | 'purpose' | 'issuer' | 'algorithm'>,
  key: MintedKey,
  now: number,
  lifeSeconds: number,
): Change {
  const at = Math.round(now * 1000) / 1000
  const first = signingAtOnce(key, at, lifeSeconds)
  return {
    document: { format: 1, ...identity, version: 1, updatedAt: at, keys: [first] },
    transitions: [{ kid: key.kid, from: null, to: 'active' }],
  }
}

export function addPending(document: KeyRingDocument, key: MintedKey, now: number): Change {
  return change(document, now, new Map(), [{ ...key, state: 'pending', createdAt: stamp(document, now) }])
}

export function publish(document: KeyRingDocument, kid: string, now: number): Change {
  return change(document, now, new Map([[kid, 'published']]))
}

/** The only way to a new active key: the old one retires in the same step, so there is exactly one at every version. */
export function activate(document: KeyRingDocument, kid: string, now: number, lifeSeconds: number): Change {
  const moves = new Map<string, KeyState>([
    [activeKey(document).kid, 'retiring'],
    [kid, 'active'],
  ])
  return change(document, now, moves, [], { lifeSeconds })
}

/** Notes that the active key signs longer-lived tokens than was noted; `undefined` when that is known. */
export function noteLife(document: KeyRingDocument, now: number, lifeSeconds: number): Change | undefined {
  const active = activeKey(document)
  if ((active.longestLifeSeconds ?? 0) >= lifeSeconds) return undefined
  const { document: next } = change(document, now, new Map())
  const keys = next.keys.map((key) => (key.kid === active.kid ? { ...key, ...longestLife(lifeSeconds) } : key))
  return { document: { ...next, keys }, transitions: [] }
}

/** Puts private keys in place that were sealed anew; the keys themselves stay what they are. */
export function reseal(document: KeyRingDocument, sealed: ReadonlyMap<string, string>, now: number): Change {
  const { document: next } = change(document, now, new Map())
  const keys = next.keys.map((key) => {
    const sealedPrivateKey = sealed.get(key.kid)
    return sealedPrivateKey === undefined || key.sealedPrivateKey === undefined ? key : { ...key, sealedPrivateKey }
  })
  return { document: { ...next, keys }, transitions: [] }
}

export function retire(document: KeyRingDocument, kid: string, now: number): Change {
  return change(document, now, new Map([[kid, 'retired']]))
}

/**
 * Revokes keys. When the active one is among them, `successor` signs from now on, propagated or not: a published standby
 * by its kid, or a fresh key.
 */
export function revoke(
  document: KeyRingDocument,
  kids: readonly string[],
  details: { readonly reason: string; readonly lifeSeconds: number },
  now: number,
  successor?: string | MintedKey,
): Change {
  const moves = new Map<string, KeyState>(kids.map((kid) => [kid, 'revoked']))
  if (typeof successor === 'string') moves.set(successor, 'active')
  const at = stamp(document, now)
  const added = typeof successor === 'object' ? [signingAtOnce(successor, at, details.lifeSeconds)] : []
  return change(document, now, moves, added, details)
}

/** Whether `later` can have come out of `earlier`: no version and no state goes back, no key is lost but a retired one. */
export function follows(earlier: KeyRingDocument, later: KeyRingDocument): boolean {
  if (later.version < earlier.version || later.updatedAt < earlier.updatedAt) return false
  const now = new Map(later.keys.map((key) => [key.kid, key]))
  return earlier.keys.every((before) => {
    const after = now.get(before.kid)
    return after === undefined ? before.state === 'retired' : ranks[after.state] >= ranks[before.state]
  })
}
