import { describe, expect, it } from 'vitest'
import {
  type RevocationEntry,
  type RevocationEvent,
  readMessage,
  readPosition,
  signDelta,
  signHead,
  signSnapshot,
  writePosition,
  writeServerSent,
  writeSnapshotBody,
} from '../src/index.ts'
import { head, issuer, jti, makeFeedKey, NOW, sid } from './support/feed.ts'

const feed = makeFeedKey()
const options = { issuer, keys: feed.keys }
const successor = makeFeedKey('token-2').jwk

const entries: RevocationEntry[] = [
  jti('0123456789abcdef'),
  sid('Sitzung/ä 🔑'),
  { type: 'kid', id: 'token-0' },
  { type: 'kid', id: 'token-1', successor },
  { type: 'client', id: 'web', minGeneration: 3, until: NOW + 60 },
  { type: 'subject', id: 'user_1', minGeneration: 4_294_967_295, until: 4_294_967_295 },
  { type: 'global', minGeneration: 1, until: NOW },
]
const events = entries.map((entry, index): RevocationEvent => ({ seq: 8 + index, change: 'add', entry }))
const at = (seq: number, epoch = 1) => ({ position: { epoch, seq } })

describe('messages', () => {
  it('say that nothing changed', async () => {
    const stated = head({ ...at(7), count: 3, digest: '00ff00ff00ff00ff', issuedAt: NOW + 0.125 })
    expect(await readMessage(await signHead(stated, feed.signer), options)).toEqual({ kind: 'head', head: stated })
  })

  it('carry events of every kind, and drops', async () => {
    const all: RevocationEvent[] = [...events, { seq: 15, change: 'drop', entry: jti('0123456789abcdef') }]
    const message = await readMessage(await signDelta(head(at(15)), 7, all, feed.signer), options)
    expect(message).toEqual({ kind: 'delta', head: head(at(15)), after: 7, events: all })
  })

  it('may carry a part of the events, or none', async () => {
    const part = await readMessage(await signDelta(head(at(99)), 7, events, feed.signer), options)
    expect(part).toMatchObject({ kind: 'delta', after: 7, events, head: at(99) })
    expect(await readMessage(await signDelta(head(at(7)), 7, [], feed.signer), options)).toMatchObject({ events: [] })
  })

  it('carry a snapshot, whose count and digest are in the head', async () => {
    const body = await writeSnapshotBody(entries)
    const { count: _, digest: __, ...rest } = head(at(14))
    const message = await readMessage(await signSnapshot(rest, body, feed.signer), options)
    expect(message).toMatchObject({ kind: 'snapshot', head: { ...rest, count: 7, digest: body.digest } })
    expect(message.kind === 'snapshot' && Buffer.from(message.entries).equals(body.bytes)).toBe(true)
  })

  it('have a digest of the set that does not depend on the order', async () => {
    const one = await writeSnapshotBody(entries)
    const other = await writeSnapshotBody([...entries].reverse())
    expect(other.digest).toBe(one.digest)
    expect((await writeSnapshotBody(entries.slice(1))).digest).not.toBe(one.digest)
    expect((await writeSnapshotBody([])).digest).toBe('0000000000000000')
  })

  it('travel as server-sent events unchanged', async () => {
    for (const message of [
      await signHead(head(at(7)), feed.signer),
      await signDelta(head(at(14)), 7, events, feed.signer),
      await signDelta(head(at(7)), 7, [], feed.signer),
    ]) {
      const sent = writeServerSent(message, { epoch: 1, seq: 7 })
      const lines = sent.slice(0, -2).split('\n')
      expect(lines[0]).toBe('id:1.7')
      expect(lines.slice(1).every((line) => line.startsWith('data:'))).toBe(true)
      expect(
        lines
          .slice(1)
          .map((line) => line.slice(5))
          .join('\n'),
      ).toBe(message)
    }
  })
})

describe('a message is refused', () => {
  const other = makeFeedKey('feed-1')
  const delta = () => signDelta(head(at(14)), 7, events, feed.signer)
  const rows: [why: string, make: () => Promise<string | Uint8Array>, code: string][] = [
    ['signed by another key', () => signHead(head(), other.signer), 'bad_signature'],
    ['signed by a key that the feed has not', () => signHead(head(), makeFeedKey('x').signer), 'bad_signature'],
    ['of another issuer', () => signHead(head({ issuer: 'https://evil.example' }), feed.signer), 'wrong_issuer'],
    ['with an event left out', async () => (await delta()).replace(/\n\+s.*\n/, '\n'), 'bad_signature'],
    ['with an event more', async () => `${await delta()}+j\tx\t1\n`, 'bad_signature'],
    [
      'with a body that no head vouches for',
      async () => `${await signHead(head(), feed.signer)}\n+j\tx\t1\n`,
      'bad_message',
    ],
    [
      'with a body under another head',
      async () =>
        `${(await signDelta(head(at(14)), 7, [], feed.signer)).split('\n')[0]}\n${(await delta()).split('\n').slice(1).join('\n')}`,
      'bad_signature',
    ],
    ['without its body', async () => (await delta()).split('\n')[0] ?? '', 'bad_signature'],
    ['that is no JWT', async () => 'hello', 'bad_message'],
    ['that is empty', async () => '', 'bad_message'],
    ['that is HTML', async () => `<html>${'x'.repeat(9000)}`, 'bad_message'],
    ['that is not UTF-8', async () => new Uint8Array([0xff, 0xfe, 0x0a]), 'bad_message'],
    ['with a negative seq', () => signHead(head(at(-1)), feed.signer), 'bad_message'],
    ['with another digest form', () => signHead(head({ digest: 'FF' }), feed.signer), 'bad_message'],
    ['without a time', () => signHead(head({ issuedAt: Number.NaN }), feed.signer), 'bad_message'],
  ]
  it.each(rows)('%s', async (_why, make, code) => {
    await expect(readMessage(await make(), options)).rejects.toMatchObject({ name: 'RevocationError', code })
  })

  it('never signed: a gap, a dropped kid, events beyond the head', async () => {
    const refused: [number, RevocationEvent[], number][] = [
      [8, events, 14],
      [7, [...events].reverse(), 14],
      [7, events, 13],
      [7, [{ seq: 8, change: 'drop', entry: { type: 'kid', id: 'token-0' } }], 14],
    ]
    for (const [after, list, seq] of refused) {
      await expect(signDelta(head(at(seq)), after, list, feed.signer)).rejects.toMatchObject({ code: 'bad_entry' })
    }
  })
})

describe('an entry is refused', () => {
  const rows: [why: string, entry: unknown][] = [
    ['without an id', { type: 'jti', id: '', until: 1 }],
    ['with a tab in its id', jti('a\tb')],
    ['with a line feed in its id', jti('a\nb')],
    ['with half a surrogate in its id', jti('a\ud800')],
    ['with an id of 513 characters', jti('x'.repeat(513))],
    ['with a fraction of a second', jti('a', 1.5)],
    ['that ends before 1970', jti('a', -1)],
    ['that ends after 2106', jti('a', 2 ** 32)],
    ['with a generation past 32 bits', { type: 'global', minGeneration: 2 ** 32, until: 1 }],
    ['with a generation of text', { type: 'client', id: 'a', minGeneration: '1', until: 1 }],
    ['without its generation', { type: 'client', id: 'a', until: 1 }],
    ['of another type', { type: 'family', id: 'a', until: 1 }],
    ['with a successor that is too long', { type: 'kid', id: 'a', successor: { kid: 'x'.repeat(4000) } }],
  ]
  it.each(rows)('%s', async (_why, entry) => {
    await expect(writeSnapshotBody([entry as RevocationEntry])).rejects.toMatchObject({ code: 'bad_entry' })
  })
})

describe('a position', () => {
  it('is written and read', () => {
    expect(readPosition(writePosition({ epoch: 3, seq: 1042 }))).toEqual({ epoch: 3, seq: 1042 })
  })
  it.each(['', '1', '1.', '1.2.3', '01.2', '1.-2', '1.2 ', '9999999999999999.1', '1e3.1'])('is not "%s"', (text) => {
    expect(readPosition(text)).toBeUndefined()
  })
})
