import { createKeyRing, type KeyRing, type KeyRingStore } from '@countersign/keys'

export const issuer = 'https://auth.example.com'
const propagationSeconds = 3750
const overlapSeconds = 2400
/** Founding, the standby made and published, the activation, the next standby made and published, the withdrawal. */
export const writesOfARotation = 7

const secret = { id: 'kek-1', secret: new Uint8Array(32).fill(1) }
export const kek = { current: async () => secret, find: async (id: string) => (id === secret.id ? secret : undefined) }

/** A clock that a test moves; nothing is called back, since the test takes each step itself. */
export function movedClock(startSeconds: number) {
  let seconds = startSeconds
  return {
    now: () => seconds,
    monotonicMs: () => seconds * 1000,
    after: () => () => {},
    pass(more: number) {
      seconds += more
    },
  }
}

export async function openRing(store: KeyRingStore, clock: ReturnType<typeof movedClock>): Promise<KeyRing> {
  const policy = { accessTokenLifeSeconds: 600 }
  return await createKeyRing({ store, kek, issuer, policy, clock, scheduler: false })
}

/** From nothing, or from wherever another process has left it, to the end of a rotation. */
export async function wholeRotation(store: KeyRingStore, clock: ReturnType<typeof movedClock>): Promise<KeyRing> {
  const ring = await openRing(store, clock)
  await ring.resume()
  clock.pass(propagationSeconds + 1)
  await ring.rotate()
  await ring.resume()
  clock.pass(overlapSeconds + 1)
  await ring.resume()
  return ring
}
