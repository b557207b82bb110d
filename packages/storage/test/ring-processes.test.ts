import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KeyRingDocument, RotateOutcome } from '@countersign/keys'
import { sealedFile } from '@countersign/keys/file'
import { describe, expect, it, onTestFinished } from 'vitest'
import { movedClock, wholeRotation, writesOfARotation } from './ring-rotation.ts'
import { openForTest, temporaryDirectory } from './support.ts'

function start(...args: string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL('./children/rotate-rings.ts', import.meta.url)), args, { execArgv: [] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message')
  return message
}

function newPaths(): { path: string; folder: string } {
  const directory = temporaryDirectory()
  return { path: join(directory, 'rings.db'), folder: join(directory, 'rings') }
}

async function readBoth(path: string, folder: string): Promise<readonly (KeyRingDocument | undefined)[]> {
  const database = await openForTest(path)
  return await Promise.all([database.stores.keys, sealedFile(folder)].map((store) => store.read('tokens')))
}

it('20 processes that found and rotate a ring at the same instant make exactly one new key', async () => {
  const { path, folder } = newPaths()
  const children = Array.from({ length: 20 }, () => start(path, folder))
  await Promise.all(children.map(answer))
  const answers = children.map(answer)
  for (const child of children) child.send('go')
  const outcomes = (await Promise.all(answers)) as RotateOutcome[][]
  const documents = await readBoth(path, folder)
  for (const [index, document] of documents.entries()) {
    expect(document?.keys.map(({ state }) => state)).toEqual(['active', 'published'])
    const standby = document?.keys[1]?.kid
    for (const outcome of outcomes) expect(outcome[index]).toMatchObject({ done: false, standbyKid: standby })
  }
})

describe('a process that is killed', () => {
  const writes = Array.from({ length: writesOfARotation }, (_, index) => index + 1)

  it('after any write of a rotation leaves one active key, loses none, and others finish its work', async () => {
    // Two at a time: there are two cores.
    const lanes = [0, 1].map((lane) => writes.filter((write) => write % 2 === lane))
    await Promise.all(
      lanes.map(async (mine) => {
        for (const write of mine) await killAfter(write)
      }),
    )
  })

  async function killAfter(write: number): Promise<void> {
    const { path, folder } = newPaths()
    const child = start(path, folder, String(write))
    const [, signal] = await once(child, 'exit')
    expect(signal, `write ${write}`).toBe('SIGKILL')

    const found = await readBoth(path, folder)
    const database = await openForTest(path)
    const stores = [database.stores.keys, sealedFile(folder)]
    for (const [index, store] of stores.entries()) {
      const left = found[index]
      expect(left?.version).toBe(write)
      const active = left?.keys.filter(({ state }) => state === 'active') ?? []
      expect(active).toHaveLength(1)

      const ring = await wholeRotation(store, movedClock(1_800_000_000 + 7000))
      const after = (await store.read('tokens'))?.keys ?? []
      expect(after.filter(({ state }) => state === 'active')).toHaveLength(1)
      expect(after.filter(({ state }) => state === 'pending' || state === 'retiring')).toEqual([])
      expect(after.filter(({ state }) => state === 'published')).toHaveLength(1)
      for (const { kid } of left?.keys ?? []) expect(after.map((key) => key.kid)).toContain(kid)
      expect(await ring.sign({ sub: 'user_1', aud: 'agent-api', client_id: 'web', scope: 'agents:read' })).toBeTypeOf(
        'string',
      )
      await ring.close()
    }
  }
})
