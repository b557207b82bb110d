import type { KekSource } from '@countersign/sealing'
import { createKeyRing, type KeyRing, type KeyRingEvent, type KeyRingOptions } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'

export const issuer = 'https://auth.example.com'
export const claims = { sub: 'user_1', aud: 'agent-api', client_id: 'web', scope: 'agents:read' }
export const day = 86_400

/** A key-encryption key in memory. */
export function kekOf(id = 'kek-1', byte = 1): KekSource {
  const key = { id, secret: new Uint8Array(32).fill(byte) }
  return { current: async () => key, find: async (wanted) => (wanted === id ? key : undefined) }
}

export interface Opened {
  readonly ring: KeyRing
  readonly clock: FakeClock
  readonly store: KeyRingOptions['store']
  readonly events: KeyRingEvent[]
}

/** A ring on a fake clock and a memory store, unless told otherwise; its first look is over. */
export async function openRing(
  options: Partial<KeyRingOptions> & { readonly clock?: FakeClock } = {},
): Promise<Opened> {
  const clock = options.clock ?? createFakeClock()
  const store = options.store ?? memoryKeyRingStore()
  const events: KeyRingEvent[] = []
  const ring = await createKeyRing({
    kek: kekOf(),
    issuer,
    policy: { accessTokenLifeSeconds: 600 },
    onEvent: (event) => events.push(event),
    ...options,
    clock,
    store,
  })
  await clock.advance(0)
  return { ring, clock, store, events }
}

export const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')).kid
