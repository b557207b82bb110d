// What a process holds once its garbage is gone.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
/** @type {() => void} */
export const collectAll = runInNewContext('gc')

/** Bytes of objects and of typed arrays, which lie outside the heap. */
export function heldBytes() {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
