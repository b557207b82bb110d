// usage: rotate-rings.ts DATABASE FOLDER [WRITE]
// Without WRITE: opens a ring in each, and rotates both at the starting shot. With it: takes both through a whole
// rotation, and kills itself as soon as both have stored their n-th write, before anybody is told.
import type { KeyRingStore } from '@countersign/keys'
import { sealedFile } from '@countersign/keys/file'
import { openSqlite } from '../../src/sqlite.ts'
import { movedClock, openRing, wholeRotation } from '../ring-rotation.ts'

const [path = '', folder = '', atWrite] = process.argv.slice(2)
const database = await openSqlite(path)
const stores = [database.stores.keys, sealedFile(folder)]

let arrived = 0
async function die(): Promise<never> {
  arrived += 1
  if (arrived === stores.length) process.kill(process.pid, 'SIGKILL')
  return await new Promise(() => {})
}

function dying(inner: KeyRingStore): KeyRingStore {
  let writes = 0
  return {
    read: (name) => inner.read(name),
    async replace(document) {
      writes += 1
      const won = await inner.replace(document)
      return writes < Number(atWrite) ? won : await die()
    },
  }
}

if (atWrite === undefined) {
  const rings = await Promise.all(stores.map((store) => openRing(store, movedClock(1_800_000_000))))
  process.once('message', async () => {
    const outcomes = await Promise.all(rings.map((ring) => ring.rotate()))
    process.send?.(outcomes)
    for (const ring of rings) await ring.close()
    await database.close()
    process.disconnect()
  })
  process.send?.('ready')
} else {
  await Promise.all(stores.map((store) => wholeRotation(dying(store), movedClock(1_800_000_000))))
}
