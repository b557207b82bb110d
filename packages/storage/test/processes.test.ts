import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { client, issued, refresh, session, user } from './records.ts'
import { openForTest, temporaryDirectory } from './support.ts'

const child = (name: string): string => fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url))

function endAfterTest(started: ChildProcess): void {
  onTestFinished(() => void started.kill('SIGKILL'))
}

async function answer(from: ChildProcess): Promise<unknown> {
  const [message] = await once(from, 'message')
  return message
}

it('lets one of 50 refreshes win, in two processes at once', async () => {
  const path = join(temporaryDirectory(), 'shared.db')
  const database = await openForTest(path)
  const { users, clients, sessions } = database.stores.issuer
  await users.add(user)
  await clients.add(client)
  const children = ['a', 'b'].map((name) => fork(child('rotate'), [path, name], { execArgv: [] }))
  for (const one of children) endAfterTest(one)
  await Promise.all(children.map(answer))
  for (let round = 0; round < 20; round++) {
    const id = `session-${round}`
    const entry = { session: session(id), refresh: refresh(`${id}/first`, id), issued: issued(id, id) }
    expect(await sessions.open(entry)).toBe(true)
    const answers = children.map(answer)
    for (const one of children) one.send(id)
    const outcomes = (await Promise.all(answers)).flat()
    expect(outcomes.filter((outcome) => outcome === 'rotated')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'spent')).toHaveLength(49)
  }
  const exits = children.map((one) => once(one, 'exit'))
  for (const one of children) one.send('close')
  for (const [code] of await Promise.all(exits)) expect(code).toBe(0)
})

it('creates one database when several processes open a new one at once', async () => {
  const path = join(temporaryDirectory(), 'new', 'shared.db')
  const children = ['a', 'b', 'c', 'd'].map((name) => fork(child('rotate'), [path, name], { execArgv: [] }))
  for (const one of children) endAfterTest(one)
  expect(await Promise.all(children.map(answer))).toEqual(['ready', 'ready', 'ready', 'ready'])
})

it('loses nothing that it acknowledged when it is killed', async () => {
  const path = join(temporaryDirectory(), 'killed.db')
  for (const round of ['first', 'second', 'third']) {
    const writer = spawn(process.execPath, [child('add-forever'), path, round], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    endAfterTest(writer)
    const acknowledged: string[] = []
    for await (const line of createInterface({ input: writer.stdout })) {
      // A last line may be cut off by the kill: what counts is a whole one.
      acknowledged.push(line)
      if (acknowledged.length === 400) writer.kill('SIGKILL')
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(400)
    const database = await openForTest(path)
    const { status } = database.stores.issuer.issued
    const found = await Promise.all(acknowledged.map((jti) => status(jti)))
    expect(acknowledged.filter((_, i) => found[i] === undefined)).toEqual([])
    await database.close()
  }
})

it('keeps a process alive for its writes, and no longer', async () => {
  const path = join(temporaryDirectory(), 'left.db')
  const leaving = spawn(process.execPath, [child('add-and-leave'), path], { stdio: ['ignore', 'pipe', 'inherit'] })
  endAfterTest(leaving)
  let printed = ''
  leaving.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const [code] = await once(leaving, 'close')
  expect([printed, code]).toEqual(['answered\n', 0])
  const database = await openForTest(path)
  expect(await database.stores.issuer.issued.status('last')).toBeDefined()
})
