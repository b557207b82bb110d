import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { WriterClient } from '../src/sqlite/writer-client.ts'
import type { StorageError } from '../src/sqlite.ts'

const ready = `const { parentPort } = require('node:worker_threads'); parentPort.postMessage({ type: 'ready', from: 1, to: 1 });`

function clientOver(script: string): { readonly client: WriterClient; readonly fatal: StorageError[] } {
  const fatal: StorageError[] = []
  const worker = new Worker(script, { eval: true })
  return { client: new WriterClient(worker, { maxPending: 100, onFatal: (error) => fatal.push(error) }), fatal }
}

describe('a writer thread that is lost', () => {
  it('rejects what waits and what comes after, and reports it once', async () => {
    const { client, fatal } = clientOver(`${ready} parentPort.once('message', () => { throw new Error('boom') })`)
    await client.ready
    const outcomes = await Promise.allSettled([client.write('touch', []), client.write('touch', [])])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'writer_lost', cause: { message: 'boom' } } })
    }
    await expect(client.write('touch', [])).rejects.toMatchObject({ code: 'writer_lost' })
    expect(fatal.map((error) => error.code)).toEqual(['writer_lost'])
    expect(client.statistics.pending).toBe(0)
    await client.close()
  })

  it('does not wait for a thread that dies at its start', async () => {
    const { client, fatal } = clientOver(`throw new Error('boom')`)
    await expect(client.ready).rejects.toMatchObject({ code: 'writer_lost' })
    expect(fatal).toEqual([])
  })

  it('does not count its end as a loss when it was asked to close', async () => {
    const { client, fatal } = clientOver(`${ready} parentPort.once('message', () => parentPort.close())`)
    await client.ready
    await client.close()
    expect(fatal).toEqual([])
    await expect(client.write('touch', [])).rejects.toMatchObject({ code: 'closed' })
  })
})
