// A credential read again and again: the row, the data key out of memory, AES-256-GCM. `better-sqlite3` is the bare look-up of
// the same row in the same file on the disk.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthModule } from '@countersign/embedded'
import Database from 'better-sqlite3'
import { measure } from './harness/in-process.mjs'
import { rateCases, ratioTargets } from './harness/targets.mjs'

const credentials = 500
const count = 20_000
const turns = 20
const secretBytes = 40
const leastRatio = 0.15

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const room = mkdtempSync(join(process.env.BENCH_DIR ?? '/var/tmp', 'countersign-bench-'))
  const dataDir = join(room, 'data')
  const auth = await createAuthModule({ dataDir })
  const bare = new Database(join(dataDir, 'countersign.db'), { readonly: true })
  try {
    const names = Array.from({ length: credentials }, (_, index) => `credential-${index}`)
    for (const name of names) await auth.storeCredential(name, randomBytes(secretBytes))
    const lookUp = bare.prepare('SELECT * FROM credentials WHERE owner = ? AND name = ?')
    const all = Array.from({ length: count }, (_, index) => names[(index * 7919) % credentials] ?? '')
    /** @typedef {readonly string[]} Batch */
    const rates = await measure(
      [
        {
          name: 'countersign',
          start: () => async (/** @type {Batch} */ batch) => {
            for (const name of batch) {
              const found = await auth.getCredential(name)
              if (found?.length !== secretBytes) throw new Error(`${name} was not found`)
            }
          },
        },
        {
          name: 'better-sqlite3',
          start: () => (/** @type {Batch} */ batch) => {
            for (const name of batch) if (lookUp.get('module', name) === undefined) throw new Error('no such row')
          },
        },
      ],
      (turn) => all.slice((turn * count) / turns, ((turn + 1) * count) / turns),
      { rounds, turns, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    return {
      name: 'credential-get',
      ratio_to: 'better-sqlite3',
      settings: { rounds, credentials, count, secret_bytes: secretBytes },
      cases: rateCases(rates, 'better-sqlite3'),
      targets: ratioTargets(rates, [['countersign', 'better-sqlite3', leastRatio]]),
    }
  } finally {
    bare.close()
    await auth.close()
    rmSync(room, { recursive: true })
  }
}
