/** The writer's thread: the only connection of this process that writes. Started by `startWriter`. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { createWrites } from '../operations.ts'
import { replay } from '../statement.ts'
import { isBusy, storageError } from './failure.ts'
import { GroupCommit } from './group-commit.ts'
import { type Migrated, migrate, setUpWriter } from './prepare.ts'
import { type FromWriter, type ToWriter, toSent, type WriterData, type WriterStatements } from './protocol.ts'
import { WriterConnection } from './writer-connection.ts'

interface Opened {
  readonly connection: WriterConnection
  readonly migrated: Migrated
}

function open(data: WriterData): Opened {
  const connection = new WriterConnection(data.path)
  try {
    setUpWriter(connection)
    const migrated = migrate(connection)
    if (data.maxBytes !== null) {
      const pages = Math.max(1, Math.floor(data.maxBytes / connection.number('page_size')))
      connection.database.pragma(`max_page_count = ${pages}`)
    }
    return { connection, migrated }
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Other processes may be opening, migrating or recovering the same file right now. */
async function openPatiently(data: WriterData): Promise<Opened> {
  const until = performance.now() + data.busyTimeoutMs
  for (;;) {
    try {
      return open(data)
    } catch (error) {
      if (!isBusy(error) || performance.now() >= until) throw error
    }
    await sleep(5)
  }
}

async function start(port: MessagePort, data: WriterData): Promise<void> {
  const post = (message: FromWriter): void => port.postMessage(message)
  let opened: Opened
  try {
    opened = await openPatiently(data)
  } catch (error) {
    post({ type: 'failed', error: toSent(storageError(error)) })
    port.close()
    return
  }
  const { connection, migrated } = opened
  // Whatever else is sent comes after `ready`.
  const [statements] = (await once(port, 'message')) as [WriterStatements]
  let closing = false
  const commits = new GroupCommit({
    connection,
    writes: createWrites(replay(statements)),
    maxBatch: data.maxBatch,
    busyTimeoutMs: data.busyTimeoutMs,
    answer: (answers, fatal) => post({ type: 'answers', answers, ...(fatal === undefined ? {} : { fatal }) }),
    now: () => performance.now(),
    after: (ms, call) =>
      void setTimeout(() => {
        call()
        work()
      }, ms),
  })
  const receive = (message: ToWriter): void => {
    if (message === 'close') closing = true
    else commits.push(message)
  }
  const work = (): void => {
    let more: boolean
    do {
      // What came in during the last commit joins the next one.
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        receive(next.message)
      }
      more = commits.step()
    } while (more)
    if (!closing || !commits.isIdle) return
    connection.close()
    port.close()
  }
  port.on('message', (message: ToWriter) => {
    receive(message)
    work()
  })
  post({ type: 'ready', ...migrated })
}

if (parentPort !== null) await start(parentPort, workerData)
