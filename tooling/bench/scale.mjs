// What a million revocations in force and 10,000 verifiers cost: the issuer's messages as they are signed and sent, and
// real streams from a real token service. Every figure is measured here, or a product of two that are.
// usage: scale.mjs [--entries N] [--verifiers N] [--streams N] [--seconds N]

import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  createRevocationView,
  signDelta,
  signHead,
  signSnapshot,
  writeServerSent,
  writeSnapshotBody,
} from '@countersign/revocation'
import { startPeer } from './harness/child.mjs'
import { collectAll, heldBytes } from './harness/memory.mjs'
import { revokedToken, until } from './harness/revoked.mjs'

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    verifiers: { type: 'string', default: '10000' },
    /** Really opened; below what one process allows by default. */
    streams: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
  },
})
/** @param {string} text */
function whole(text) {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  console.error('usage: scale.mjs [--entries N] [--verifiers N] [--streams N] [--seconds N]')
  process.exit(2)
}
const entries = whole(values.entries)
const verifiers = whole(values.verifiers)
const streams = whole(values.streams)
const seconds = whole(values.seconds)

const { privateKey } = generateKeyPairSync('ed25519')
const signer = {
  kid: 'r4dYqSLqGBJq1Ov3CRGBQ1fFZbTmMmGTcb2GDTxVGq4',
  algorithm: /** @type {const} */ ('EdDSA'),
  sign: async (/** @type {Uint8Array} */ data) => sign(null, data, privateKey),
}

const say = (/** @type {string} */ what, /** @type {number} */ value, /** @type {string} */ unit) => {
  const text = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2)
  console.log(`${what.padEnd(66)}${text.padStart(12)} ${unit}`)
}

/** @param {number} count @returns {Iterable<import('@countersign/revocation').RevocationEntry>} */
function* revocations(count) {
  for (let number = 0; number < count; number += 1) yield { type: 'jti', id: revokedToken(number), until }
}

async function measureMessages() {
  const position = { epoch: 1, seq: entries }
  const body = await writeSnapshotBody(revocations(entries))
  const head = { issuer: 'https://auth.example.com', position, issuedAt: until - 3600 }
  const full = { ...head, count: body.count, digest: body.digest }
  const snapshot = await signSnapshot(head, body, signer)
  const headBytes = writeServerSent(await signHead(full, signer), position).length
  const delta = async (/** @type {number} */ count) => {
    const events = Array.from({ length: count }, (_, index) => ({
      seq: entries - count + index + 1,
      change: /** @type {const} */ ('add'),
      entry: { type: /** @type {const} */ ('jti'), id: revokedToken(index), until },
    }))
    return writeServerSent(await signDelta(full, entries - count, events, signer), position).length
  }
  const eventBytes = ((await delta(1_001)) - (await delta(1))) / 1_000

  await sleep(10)
  collectAll()
  const before = heldBytes()
  const view = createRevocationView()
  await view.load({ position, count: body.count, digest: body.digest, entries: body.bytes })
  collectAll()
  const held = heldBytes() - before
  if (view.count !== entries) throw new Error(`${view.count} entries were loaded`)

  console.log(`${entries.toLocaleString('en')} revocations in force`)
  say('memory at a verifier', held / 1e6, 'MB')
  say('snapshot', snapshot.length / 1e6, 'MB')
  say('snapshot, as a proxy compresses it (gzip -6)', gzipSync(snapshot).length / 1e6, 'MB')
  say(
    `${verifiers.toLocaleString('en')} verifiers that start at once, snapshots`,
    (verifiers * snapshot.length) / 1e9,
    'GB',
  )
  console.log('\nthe stream')
  say('a head', headBytes, 'B')
  say('each revocation in a delta', eventBytes, 'B')
  say('a verifier while nothing is revoked', headBytes, 'B/s')
  say('a verifier at 1,000 revocations a second', (headBytes + 1_000 * eventBytes) / 1e3, 'kB/s')
  say(`${verifiers.toLocaleString('en')} verifiers while nothing is revoked`, (verifiers * headBytes) / 1e6, 'MB/s')
  say(
    `${verifiers.toLocaleString('en')} verifiers at 1,000 revocations a second`,
    (verifiers * (headBytes + 1_000 * eventBytes)) / 1e6,
    'MB/s',
  )
}

/** Resident bytes of a process. @param {number} pid */
function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** @param {string} url @param {Agent} agent @param {(part: Buffer) => void} received */
function openStream(url, agent, received) {
  return new Promise((resolve, reject) => {
    get(`${url}/revocations/stream`, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`a stream was answered with ${response.statusCode}`))
      response.on('data', (part) => received(part))
      response.on('error', () => {})
      resolve(undefined)
    }).on('error', reject)
  })
}

async function measureStreams() {
  const service = await startPeer('token-service.mjs')
  const agent = new Agent()
  try {
    const { url, pid } = service.told
    const measure = async () => {
      const cpu = service.cpuMicroseconds()
      await sleep(seconds * 1000)
      return (service.cpuMicroseconds() - cpu) / seconds
    }
    await sleep(2_000)
    const idle = await measure()
    const before = residentBytes(pid)
    let bytes = 0
    let messages = 0
    for (let open = 0; open < streams; open += 50) {
      const batch = Array.from({ length: Math.min(50, streams - open) }, () =>
        openStream(url, agent, (part) => {
          bytes += part.length
          messages += part.toString().split('\n\n').length - 1
        }),
      )
      await Promise.all(batch)
    }
    await sleep(2_000)
    bytes = 0
    messages = 0
    const busy = await measure()
    const perStream = (busy - idle) / streams
    const memory = (residentBytes(pid) - before) / streams
    console.log(`\n${streams.toLocaleString('en')} streams of one token service, nothing revoked, ${seconds} s`)
    say('messages to each', messages / seconds / streams, '/s')
    say('a message', bytes / messages, 'B')
    say('CPU of the service for each', perStream, 'µs/s')
    say('resident memory of the service for each', memory / 1e3, 'kB')
    say(`${verifiers.toLocaleString('en')} streams, of one core`, (verifiers * perStream) / 1e4, '%')
    say(`${verifiers.toLocaleString('en')} streams, memory of the services`, (verifiers * memory) / 1e6, 'MB')
  } finally {
    agent.destroy()
    await service.stop()
  }
}

await measureMessages()
await measureStreams()
