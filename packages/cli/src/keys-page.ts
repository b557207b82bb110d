import type { Issuer } from '@countersign/issuer'
import type { KeyRing, KeyStatus } from '@countersign/keys'
import type { Page } from './output.ts'
import type { Cell, Tone } from './table.ts'
import { age, fromNow, instant } from './times.ts'

const tones: Readonly<Record<KeyStatus['state'], Tone>> = {
  pending: 'faint',
  published: 'plain',
  active: 'good',
  retiring: 'warning',
  retired: 'faint',
  revoked: 'bad',
}

/** Verifiers are not the only ones that a standby may wait for; what else there is names itself. */
export function othersOf(waitingFor: readonly string[]): string {
  const others = waitingFor.filter((one) => one !== 'propagation')
  return others.length === 0 ? '' : `; waits for ${others.join(', ')}`
}

function standbyStep(key: KeyStatus, now: number): string {
  if (key.activatableAt === null) return 'published when it is stored'
  const others = othersOf(key.next?.waitingFor ?? [])
  return `${key.activatableAt <= now ? 'may sign now' : `may sign ${fromNow(key.activatableAt, now)}`}${others}`
}

/** What happens to a key next, by command or by the running service, whichever is sooner. */
function nextStep(key: KeyStatus, { policy }: KeyRing, now: number): string {
  if (key.state === 'pending' || key.state === 'published') return standbyStep(key, now)
  if (key.state === 'active' && key.activatedAt !== null) {
    return `replaced ${fromNow(key.activatedAt + policy.rotateAfterSeconds, now)} at the latest`
  }
  if (key.state === 'retiring' && key.retiringAt !== null) {
    const at = key.next?.at ?? key.retiringAt + policy.overlapSeconds
    return at <= now ? 'withdrawn by the running service' : `withdrawn ${fromNow(at, now)}`
  }
  return ''
}

/** When a key last changed its state. */
function since(key: KeyStatus): number {
  return key.revokedAt ?? key.retiredAt ?? key.retiringAt ?? key.activatedAt ?? key.publishedAt ?? key.createdAt
}

export function writeList(page: Page, rings: readonly KeyRing[], now: number): void {
  const rows = rings.flatMap((ring) =>
    ring
      .status()
      .keys.map((key): Cell[] => [
        ring.name,
        ring.algorithm,
        key.kid,
        { text: key.state, tone: tones[key.state] },
        fromNow(since(key), now),
        nextStep(key, ring, now),
      ]),
  )
  page.table(['ring', 'alg', 'kid', 'state', 'since', 'next'], rows, 'There are no keys.')
}

const ageTones = { ok: 'plain', warn: 'warning', page: 'bad', over: 'bad' } as const

export function writeStatus(page: Page, rings: readonly KeyRing[], now: number): void {
  for (const [index, ring] of rings.entries()) {
    if (index > 0) page.line('')
    const { name, algorithm, version, activeKid, age: level, keys, blackoutUntil } = ring.status()
    const active = keys.find((key) => key.kid === activeKid)
    const standby = keys.find((key) => key.state === 'published' || key.state === 'pending')
    const since = active?.activatedAt ?? null
    page.fields([
      ['ring', { text: `${name} (${algorithm}, version ${version})`, tone: 'strong' }],
      ['active', active === undefined ? { text: 'none: nothing can be signed', tone: 'bad' } : active.kid],
      ['signs since', instant(since)],
      ['age', { text: since === null ? '' : age(now - since), tone: ageTones[level] }],
      ['replaced', active === undefined ? '' : nextStep(active, ring, now).replace('replaced ', '')],
      ['standby', standby === undefined ? 'none; `countersign keys rotate` publishes one' : standby.kid],
      ...(standby === undefined ? [] : [['', standbyStep(standby, now)] as const]),
      ...(blackoutUntil === null ? [] : [['blackout', `ends ${fromNow(blackoutUntil, now)}`] as const]),
      ...keys
        .filter((key) => key.state === 'retiring')
        .map((key) => ['retiring', `${key.kid} ${nextStep(key, ring, now)}`] as const),
    ])
  }
}

type Acknowledged = Awaited<ReturnType<Issuer['acknowledgements']>>

/** Which consumers follow the feed, and whether each process of theirs holds the keys that are published. */
export function writeAcknowledged(page: Page, all: Acknowledged, rings: readonly KeyRing[], now: number): void {
  if (all.length === 0) return
  const published = rings.flatMap((ring) => ring.status().keys.filter(({ state }) => state === 'published'))
  const rows = all.map(({ consumer, instance, kids, position, at }): Cell[] => {
    const lacks = published.filter(({ kid }) => !kids.includes(kid))
    return [
      consumer,
      instance,
      lacks.length === 0 ? { text: 'yes', tone: 'good' } : { text: 'not yet', tone: 'warning' },
      `${position.epoch}.${position.seq}`,
      fromNow(at, now),
    ]
  })
  page.line('')
  page.table(['consumer', 'instance', 'holds the next key', 'feed', 'heard'], rows, '')
}
