// What a process holds once its garbage is gone.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
/** @type {(how?: { type: 'major' | 'minor', execution: 'sync', flavor?: 'last-resort' }) => void} */
export const collectAll = runInNewContext('gc')

/**
 * Young objects only: collecting all would throw away compiled code with what it was compiled for, whose time would count
 * once more.
 */
export function collectYoung() {
  collectAll({ type: 'minor', execution: 'sync' })
}

/** Bytes of objects and of typed arrays, which lie outside the heap. */
export function heldBytes() {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Collects, and gives pages that are free back to the system: what is resident then is what is held. */
export async function shrink() {
  for (let turn = 0; turn < 4; turn += 1) {
    collectAll({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
