// A million revoked tokens in the memory of one verifier: what each takes, how long one look-up takes, and how long it
// takes to load their snapshot.

import { setTimeout as sleep } from 'node:timers/promises'
import { createRevocationView, writeSnapshotBody } from '@countersign/revocation'
import { collectAll, heldBytes } from './harness/memory.mjs'
import { principalOf, revokedToken, until } from './harness/revoked.mjs'
import { median } from './harness/rounds.mjs'
import { valueCase } from './harness/targets.mjs'

const entries = 1_000_000
const lookUps = 200_000

/** Each another one, every second of them revoked, from all over the snapshot. */
function makePrincipals() {
  return Array.from({ length: lookUps }, (_, index) => {
    const number = Math.floor((index * entries) / lookUps)
    return principalOf(revokedToken(index % 2 === 0 ? number : entries + number))
  })
}

async function makeSnapshot() {
  const body = await writeSnapshotBody(
    (function* () {
      for (let number = 0; number < entries; number += 1) yield { type: 'jti', id: revokedToken(number), until }
    })(),
  )
  return { position: { epoch: 1, seq: entries }, count: body.count, digest: body.digest, entries: body.bytes }
}

/**
 * A function of its own, so that nothing of one round is held in the next.
 * @param {Awaited<ReturnType<typeof makeSnapshot>>} snapshot
 * @param {ReturnType<typeof makePrincipals>} principals
 */
async function measureOnce(snapshot, principals) {
  // What the round before awaited is let go of in a later turn.
  await sleep(10)
  collectAll()
  const before = heldBytes()
  const view = createRevocationView()
  let from = performance.now()
  await view.load(snapshot)
  const loadMs = performance.now() - from
  collectAll()
  const bytes = (heldBytes() - before) / entries
  from = performance.now()
  let revoked = 0
  for (const principal of principals) if (view.isRevoked(principal)) revoked += 1
  const lookUpNs = ((performance.now() - from) * 1e6) / lookUps
  if (revoked !== lookUps / 2) throw new Error(`of ${lookUps} look-ups, ${revoked} found a revoked token`)
  return { bytes, lookUpNs, loadMs }
}

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  progress('writing the snapshot')
  const snapshot = await makeSnapshot()
  const principals = makePrincipals()
  await measureOnce(snapshot, principals)
  const measured = []
  for (let round = 1; round <= rounds; round += 1) {
    measured.push(await measureOnce(snapshot, principals))
    progress(`round ${round} of ${rounds}`)
  }
  const values = [
    { name: 'bytes-per-entry', unit: 'B', most: 40, all: measured.map(({ bytes }) => bytes) },
    { name: 'lookup-ns', unit: 'ns', most: 1_000, all: measured.map(({ lookUpNs }) => lookUpNs) },
    { name: 'snapshot-load-ms', unit: 'ms', most: 2_000, all: measured.map(({ loadMs }) => loadMs) },
  ]
  return {
    name: 'revocation-memory',
    settings: { rounds, entries, look_ups: lookUps, snapshot_bytes: snapshot.entries.length },
    cases: values.map(({ name, unit, all }) => ({
      ...valueCase(name, all, unit),
      more: { least: Math.min(...all), most: Math.max(...all) },
    })),
    targets: values.map(({ name, most, all }) => ({ what: name, most, got: median(all), met: median(all) <= most })),
  }
}
