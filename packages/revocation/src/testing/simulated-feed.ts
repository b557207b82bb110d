import { type Clock, type KeySource, type PublicJwk, staticKeys, type TokenSigner } from '@countersign/tokens'
import type { FeedPosition, RevocationEntry, RevocationEvent } from '../entry.ts'
import type { FeedHead } from '../head.ts'
import type { Acknowledgement } from '../ports.ts'
import { readPosition } from '../position-text.ts'
import { writeServerSent } from '../server-sent.ts'
import { signDelta, signHead, signSnapshot } from '../sign-message.ts'
import { writeSnapshotBody } from '../snapshot-body.ts'

/** Faults of the simulated network and issuer; change them at will. */
export interface FeedFaults {
  /** No request comes through, and streams break. */
  cut: boolean
  /** No stream, and those that there are break; other requests come through. */
  noStream: boolean
  /** The issuer cannot read its store: it tells of nothing new, and after 5 s signs nothing more. */
  noStore: boolean
  /** Stands between the stream and its reader: may deliver later, twice, in another order or not at all. */
  onStream: ((message: string, deliver: (message: string) => void) => void) | undefined
  /** Stands between snapshots, deltas and their reader: the bytes as they arrive. */
  onAnswer: ((body: Uint8Array, path: 'snapshot' | 'delta') => Uint8Array) | undefined
}

/** An issuer's feed in memory, for tests of followers and guards: nothing of it leaves the process. */
export interface SimulatedFeed {
  readonly issuer: string
  readonly url: string
  /** The feed's own keys. */
  readonly keys: KeySource
  /** For `followRevocations(url, { fetch })`. */
  readonly fetch: typeof fetch
  readonly faults: FeedFaults
  readonly position: FeedPosition
  readonly entries: readonly RevocationEntry[]
  /** What consumers have acknowledged, oldest first. */
  readonly acknowledgements: readonly Acknowledgement[]
  /** Requests so far, by path. */
  readonly requests: Readonly<Record<'snapshot' | 'delta' | 'stream' | 'ack', number>>
  /** Resolves when it has been pushed. */
  revoke(...entries: readonly RevocationEntry[]): Promise<FeedPosition>
  drop(entry: RevocationEntry): Promise<FeedPosition>
  /** As after restoring a backup: another epoch, with these entries. */
  restore(entries: readonly RevocationEntry[]): void
  /** Forgets old events: who is behind needs the snapshot. */
  forgetEvents(): void
  /** Reads the store and sends a head to every stream: what happens each second. */
  beat(): Promise<void>
}

interface Seen {
  readonly position: FeedPosition
  readonly entries: readonly RevocationEntry[]
  readonly events: readonly RevocationEvent[]
  readonly readAt: number
}

interface Stream {
  send(message: string, holds: FeedPosition): void
  close(): void
}

/** Seconds without its store after which an issuer signs nothing. */
const longestUnreadSeconds = 5

export async function simulateFeed(clock: Clock, issuer = 'https://auth.example.com'): Promise<SimulatedFeed> {
  const { signer, keys } = await makeKey()
  const requests = { snapshot: 0, delta: 0, stream: 0, ack: 0 }
  const acknowledgements: Acknowledgement[] = []
  const streams = new Set<Stream>()
  const held = new Map<string, RevocationEntry>()
  let events: RevocationEvent[] = []
  let position: FeedPosition = { epoch: 1, seq: 0 }
  /** What this issuer's process read of the store last: it can tell of nothing else. */
  let seen: Seen = { position, entries: [], events: [], readAt: clock.now() }
  const faults: FeedFaults = { cut: false, noStream: false, noStore: false, onStream: undefined, onAnswer: undefined }

  const read = (): boolean => {
    if (!faults.noStore) seen = { position, entries: [...held.values()], events: [...events], readAt: clock.now() }
    return clock.now() - seen.readAt < longestUnreadSeconds
  }
  const head = async (): Promise<FeedHead> => {
    const { position: now, entries, readAt } = seen
    const { count, digest } = await writeSnapshotBody(entries)
    return { issuer, position: now, count, digest, issuedAt: readAt }
  }
  const breakStreams = (): void => {
    for (const stream of streams) stream.close()
  }
  const broadcast = async (make: (now: FeedHead) => Promise<string>): Promise<void> => {
    if (faults.cut || faults.noStream) breakStreams()
    if (streams.size === 0 || !read()) return
    const now = await head()
    const message = await make(now)
    for (const stream of streams) stream.send(message, now.position)
  }
  const change = async (list: readonly Omit<RevocationEvent, 'seq'>[]): Promise<FeedPosition> => {
    const after = seen.position.seq
    for (const one of list) {
      position = { epoch: position.epoch, seq: position.seq + 1 }
      events.push({ seq: position.seq, ...one })
      const key = `${one.entry.type} ${'id' in one.entry ? one.entry.id : ''}`
      if (one.change === 'add') held.set(key, one.entry)
      else held.delete(key)
    }
    const now = position
    await broadcast((stated) => {
      const added = events.filter(({ seq }) => seq > after && seq <= stated.position.seq)
      return added.length === 0 ? signHead(stated, signer) : signDelta(stated, after, added, signer)
    })
    return now
  }

  const deltaAfter = async (from: FeedPosition): Promise<string | undefined> => {
    const { position: now } = seen
    const newer = seen.events.filter(({ seq }) => seq > from.seq)
    const kept = from.epoch === now.epoch && newer.length === now.seq - from.seq
    return kept ? signDelta(await head(), from.seq, newer, signer) : undefined
  }
  const answerWith = (body: Uint8Array | string, path: 'snapshot' | 'delta'): Response => {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
    return new Response(new Uint8Array(faults.onAnswer?.(bytes, path) ?? bytes))
  }
  const openStream = async (from: FeedPosition | undefined, signal: AbortSignal | undefined): Promise<Response> => {
    const encoder = new TextEncoder()
    const first = (from && (await deltaAfter(from))) ?? (await signHead(await head(), signer))
    let stream: Stream | undefined
    const close = (): void => {
      if (stream !== undefined) streams.delete(stream)
    }
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const deliver = (message: string, holds: FeedPosition): void => {
          // What was held back may arrive when nobody reads any more.
          if (stream !== undefined && streams.has(stream))
            controller.enqueue(encoder.encode(writeServerSent(message, holds)))
        }
        stream = {
          send: (message, holds) =>
            faults.onStream === undefined
              ? deliver(message, holds)
              : faults.onStream(message, (late) => deliver(late, holds)),
          close() {
            close()
            controller.error(new Error('The connection broke.'))
          },
        }
        streams.add(stream)
        signal?.addEventListener('abort', () => {
          if (stream !== undefined && streams.has(stream)) stream.close()
        })
        stream.send(first, seen.position)
      },
      cancel: close,
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const answer = async (url: URL, init: RequestInit | undefined): Promise<Response> => {
    if (init?.method === 'POST') {
      requests.ack += 1
      acknowledgements.push(JSON.parse(String(init.body)))
      return new Response(null, { status: 204 })
    }
    const path = url.pathname.endsWith('/stream') ? 'stream' : url.searchParams.has('after') ? 'delta' : 'snapshot'
    requests[path] += 1
    if (path === 'stream' && faults.noStream) throw new TypeError('fetch failed')
    if (!read()) return new Response('', { status: 503 })
    if (path === 'stream') {
      const from = readPosition(new Headers(init?.headers).get('last-event-id') ?? '')
      return openStream(from, init?.signal ?? undefined)
    }
    if (path === 'delta') {
      const from = { epoch: Number(url.searchParams.get('epoch')), seq: Number(url.searchParams.get('after')) }
      const delta = await deltaAfter(from)
      return delta === undefined ? new Response('', { status: 410 }) : answerWith(delta, path)
    }
    const { position: now, entries, readAt } = seen
    const body = await writeSnapshotBody(entries)
    return answerWith(await signSnapshot({ issuer, position: now, issuedAt: readAt }, body, signer), path)
  }

  return {
    issuer,
    url: `${issuer}/revocations`,
    keys,
    faults,
    requests,
    acknowledgements,
    get position() {
      return position
    },
    get entries() {
      return [...held.values()]
    },
    fetch: async (input, init) => {
      if (faults.cut || init?.signal?.aborted === true) throw new TypeError('fetch failed')
      return answer(new URL(String(input)), init)
    },
    revoke: (...entries) => change(entries.map((entry) => ({ change: 'add', entry }))),
    drop: (entry) => change([{ change: 'drop', entry }]),
    restore(entries) {
      position = { epoch: position.epoch + 1, seq: 0 }
      events = []
      held.clear()
      for (const entry of entries) held.set(`${entry.type} ${'id' in entry ? entry.id : ''}`, entry)
    },
    forgetEvents() {
      events = []
    },
    beat: () => broadcast((now) => signHead(now, signer)),
  }
}

async function makeKey(): Promise<{ readonly signer: TokenSigner; readonly keys: KeySource }> {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
  const exported = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const jwk: PublicJwk = { kty: 'OKP', alg: 'EdDSA', kid: 'feed-1', use: 'sig', crv: 'Ed25519', x: exported.x ?? '' }
  const sign = async (data: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(data)))
  return { signer: { kid: jwk.kid, algorithm: 'EdDSA', sign }, keys: staticKeys({ keys: [jwk] }) }
}
