import type { Clock } from '@countersign/tokens'
import {
  type Policy,
  startVaultStandIn,
  type VaultStandIn,
  type VaultStandInOptions,
} from '@countersign-tooling/vault-stand-in'
import { appRole, createVaultClient, type VaultClient, type VaultClientOptions, type VaultEvent } from '../src/vault.ts'

/** A clock that moves only when told, in small steps, and lets real HTTP come to rest after each. */
export interface SteppingClock extends Clock {
  advance(seconds: number, stepMs?: number): Promise<void>
}

/** What the Vault role of a token service needs, as docs/how-to/keep-keys-in-vault.md shows it. */
export const policies: Readonly<Record<string, Policy>> = {
  'token-service': {
    'secret/data/countersign/keys/*': ['create', 'update', 'read'],
    'secret/metadata/countersign/keys/*': ['read'],
    'secret/metadata/countersign/keys': ['list'],
    'secret/destroy/countersign/keys/*': ['update'],
    'transit/keys/tokens': ['create', 'read', 'update'],
    'transit/keys/tokens/rotate': ['update'],
    'transit/keys/tokens/config': ['update'],
    'transit/keys/tokens/trim': ['update'],
    'transit/sign/tokens': ['update'],
    'transit/datakey/plaintext/kek': ['update'],
    'transit/decrypt/kek': ['update'],
  },
}

export const role = { roleId: 'role-1', secretId: 'secret-id-of-role-1' }

export interface World {
  readonly vault: VaultStandIn
  readonly clock: SteppingClock
  readonly events: VaultEvent[]
  /** A client of the role `token-service`; closed with the world. */
  client(options?: Partial<VaultClientOptions>): VaultClient
  /** How often a path was asked for. */
  asked(path: string, method?: string): number
  /** Waits for real work (cryptography on other threads, HTTP) to get there; no time passes but what is due. */
  until(condition: () => boolean): Promise<void>
  /** Lets time pass until it settles. */
  settled<T>(work: Promise<T>): Promise<T>
  close(): Promise<void>
}

const startSeconds = 1_800_000_000

export interface WorldOptions extends VaultStandInOptions {
  readonly ttlSeconds?: number
  readonly maxTtlSeconds?: number
  readonly renewable?: boolean
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  let ms = 5_000
  let timers: { readonly at: number; readonly call: () => void }[] = []
  let inFlight = 0
  let activity = 0
  async function rest(): Promise<void> {
    for (let quiet = 0, seen = activity; quiet < 4; ) {
      await new Promise((resolve) => setImmediate(resolve))
      // What the stand-in keeps waiting goes on with the time.
      quiet = inFlight <= vault.waiting && activity === seen ? quiet + 1 : 0
      seen = activity
    }
  }
  const clock: SteppingClock = {
    now: () => startSeconds + (ms - 5_000) / 1000,
    monotonicMs: () => ms,
    after(delayMs, call) {
      const timer = { at: ms + Math.max(0, delayMs), call }
      timers.push(timer)
      return () => {
        timers = timers.filter((one) => one !== timer)
      }
    },
    async advance(seconds, stepMs = 50) {
      const end = ms + seconds * 1000
      await rest()
      for (;;) {
        const next = Math.min(end, ms + stepMs)
        const due = timers.filter(({ at }) => at <= next).sort((a, b) => a.at - b.at)[0]
        if (due === undefined && ms >= end) return
        ms = due === undefined ? next : Math.max(ms, due.at)
        if (due !== undefined) {
          timers = timers.filter((one) => one !== due)
          due.call()
        }
        await rest()
      }
    },
  }
  const { ttlSeconds = 3600, maxTtlSeconds = 0, renewable = true } = options
  const vault = await startVaultStandIn({
    now: clock.now,
    after: clock.after,
    policies,
    appRoles: [{ ...role, policies: ['token-service'], ttlSeconds, maxTtlSeconds, renewable }],
    ...options,
  })
  const events: VaultEvent[] = []
  const clients: VaultClient[] = []
  const countingFetch: typeof globalThis.fetch = async (input, init) => {
    inFlight += 1
    activity += 1
    try {
      const response = await fetch(input, init)
      const bytes = await response.arrayBuffer()
      const { status, headers } = response
      return new Response([204, 304].includes(status) ? null : bytes, { status, headers })
    } finally {
      inFlight -= 1
      activity += 1
    }
  }
  async function settled<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = work.finally(() => {
      isOver = true
    })
    over.catch(() => {})
    while (!isOver) await clock.advance(0.5, 500)
    return await over
  }
  return {
    vault,
    clock,
    events,
    settled,
    async until(condition) {
      const deadline = performance.now() + 60_000
      while (!condition()) {
        if (performance.now() > deadline) throw new Error(`it never came: ${condition}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
        await clock.advance(0)
      }
    },
    client(more = {}) {
      const client = createVaultClient({
        address: vault.address,
        auth: appRole(role),
        clock,
        random: () => 0.5,
        fetch: countingFetch,
        onEvent: (event) => events.push(event),
        ...more,
      })
      clients.push(client)
      return client
    },
    asked: (path, method) =>
      vault.requests.filter((one) => one.path === path && (method === undefined || one.method === method)).length,
    async close() {
      for (const client of clients) await settled(client.close())
      await vault.close()
    },
  }
}
