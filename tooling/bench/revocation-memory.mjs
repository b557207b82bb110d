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
/** As many principals are made before they are timed: few enough to stay in a processor's cache. */
const block = 100

/** Every second one is revoked, and they come from all over the snapshot. @param {number} index */
function numberOf(index) {
  // A prime stride: neighbours in the snapshot are not neighbours here.
  const number = (index * 104_729) % entries
  return index % 2 === 0 ? number : entries + number
}

/** CPU time of this thread in nanoseconds: what others do on the machine in between is not counted. */
function threadNs() {
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1_000
}

/**
 * Nanoseconds of a look-up, for what is revoked and for what is not. A verifier looks up a token that it has just verified:
 * so each principal is made just before, and is warm, while the table of a million entries is not.
 * @param {ReturnType<typeof createRevocationView>} view
 */
function timeLookUps(view) {
  const took = { revoked: 0, good: 0 }
  let found = 0
  for (let first = 0; first < lookUps; first += 2 * block) {
    for (const [kind, parity] of /** @type {const} */ ([
      ['revoked', 0],
      ['good', 1],
    ])) {
      const principals = Array.from({ length: block }, (_, i) =>
        principalOf(revokedToken(numberOf(first + 2 * i + parity))),
      )
      const from = threadNs()
      for (const principal of principals) if (view.isRevoked(principal)) found += 1
      took[kind] += threadNs() - from
    }
  }
  if (found !== lookUps / 2) throw new Error(`of ${lookUps} look-ups, ${found} found a revoked token`)
  return { revokedNs: took.revoked / (lookUps / 2), goodNs: took.good / (lookUps / 2) }
}

async function makeSnapshot() {
  const body = await writeSnapshotBody(
    (function* () {
      for (let number = 0; number < entries; number += 1) yield { type: 'jti', id: revokedToken(number), until }
    })(),
  )
  return { position: { epoch: 1, seq: entries }, count: body.count, digest: body.digest, entries: body.bytes }
}

/** Twice: what the round before awaited is let go of in a later turn, and its arrays by the collection after that. */
async function settle() {
  for (let time = 0; time < 2; time += 1) {
    await sleep(10)
    collectAll()
  }
}

/**
 * A function of its own, so that nothing of one round is held in the next.
 * @param {Awaited<ReturnType<typeof makeSnapshot>>} snapshot
 */
async function measureOnce(snapshot) {
  await settle()
  const before = heldBytes()
  const view = createRevocationView()
  const from = performance.now()
  await view.load(snapshot)
  const loadMs = performance.now() - from
  await settle()
  const bytes = (heldBytes() - before) / entries
  const { revokedNs, goodNs } = timeLookUps(view)
  return { bytes, loadMs, revokedNs, goodNs, lookUpNs: (revokedNs + goodNs) / 2 }
}

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  progress('writing the snapshot')
  const snapshot = await makeSnapshot()
  // One round warms the code up.
  await measureOnce(snapshot)
  const measured = []
  for (let round = 1; round <= rounds; round += 1) {
    measured.push(await measureOnce(snapshot))
    progress(`round ${round} of ${rounds}`)
  }
  const values = [
    { name: 'bytes-per-entry', unit: 'B', most: 40, all: measured.map(({ bytes }) => bytes) },
    { name: 'lookup-ns', unit: 'ns', most: 1_000, all: measured.map(({ lookUpNs }) => lookUpNs) },
    { name: 'lookup-revoked-ns', unit: 'ns', all: measured.map(({ revokedNs }) => revokedNs) },
    { name: 'lookup-good-ns', unit: 'ns', all: measured.map(({ goodNs }) => goodNs) },
    { name: 'snapshot-load-ms', unit: 'ms', most: 2_000, all: measured.map(({ loadMs }) => loadMs) },
  ]
  return {
    name: 'revocation-memory',
    settings: { rounds, entries, look_ups: lookUps, snapshot_bytes: snapshot.entries.length },
    cases: values.map(({ name, unit, all }) => ({
      ...valueCase(name, all, unit),
      more: { least: Math.min(...all), most: Math.max(...all) },
    })),
    targets: values.flatMap(({ name, most, all }) =>
      most === undefined ? [] : [{ what: name, most, got: median(all), met: median(all) <= most }],
    ),
  }
}
