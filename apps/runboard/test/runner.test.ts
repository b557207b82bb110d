import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unwrap } from '@countersign/clerk-convex'
import { fileKeyStore, runnerFetch } from '@countersign/clerk-convex/runner/node'
import { createCanary } from '@countersign/observability/testing'
import { runProgram, type StartedProgram, startProgram } from '@countersign-apps/kit/testing'
import { ConvexHttpClient } from 'convex/browser'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { api } from '../src/convex/_generated/api.js'
import { type Stand, startStand } from '../src/stand/start-stand.ts'

const main = new URL('../dist/runner-main.js', import.meta.url)
const canary = createCanary()
for (const name of ['log', 'warn', 'error'] as const) {
  vi.spyOn(console, name).mockImplementation((...said) => canary.see(name, said))
}

let stand: Stand
let home: string
let ada: ConvexHttpClient
let workspaceId: string
let repository: Awaited<ReturnType<typeof repositories>>[number]['_id']
const started: StartedProgram[] = []
const soon = { timeout: 60_000, interval: 50 }

const repositories = () => ada.query(api.repositories.list, { workspaceId })
const runs = () => ada.query(api.runs.list, { workspaceId })
const runners = () => ada.query(api.runners.list, { workspace: workspaceId })
const linesOf = async (run: Awaited<ReturnType<typeof begin>>) =>
  (await ada.query(api.runs.lines, { workspaceId, run })).map(({ text }) => text)
const begin = (task: string) => unwrap(ada.mutation(api.runs.start, { workspaceId, repository, task }))
const stateOf = async (id: string) => (await runs()).find(({ _id }) => _id === id)?.state
/** A task's code that does something once there is a file. */
const whenThere = (file: string, does: string) =>
  `const wait = setInterval(() => { if (require('node:fs').existsSync(${JSON.stringify(file)})) { clearInterval(wait); ${does} } }, 50)`

/** The program, with nothing of an environment but a home of its own. */
const options = (...args: string[]) => ({
  args,
  cwd: home,
  variables: { HOME: home, PATH: process.env.PATH ?? '', RUNBOARD_URL: stand.convex.siteUrl },
})
function startRunner(...args: string[]): StartedProgram {
  const program = startProgram(main, options(...args))
  started.push(program)
  return program
}

beforeAll(async () => {
  stand = await startStand()
  home = await mkdtemp(join(tmpdir(), 'countersign-runboard-'))
  const { world } = stand.clerk
  const user = [...world.users.values()].find(({ first_name }) => first_name === 'Ada')
  const session = world.addSession(user?.id ?? '', world.memberships({ userId: user?.id ?? '' })[0]?.organization.id)
  ada = new ConvexHttpClient(stand.convex.url, { skipConvexDeploymentUrlCheck: true, logger: false })
  const token = stand.clerk.token(session.id, { lifeSeconds: 3_600 })
  canary.plant('session token', token)
  ada.setAuth(token)
  workspaceId = (await ada.query(api.workspaces.list, {}))[0]?.workspaceId ?? ''
  for (const { _id } of await runs()) await unwrap(ada.mutation(api.runs.stop, { id: _id }))
  const [first] = await repositories()
  if (first === undefined) throw new Error('There is no repository.')
  repository = first._id
})
afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await stand?.close()
  await rm(home, { recursive: true, force: true })
})

it('is paired by somebody who looks at what it is', async () => {
  const pairing = startRunner('pair', '--name', 'build-7')
  await pairing.said('fingerprint')
  const code = /Type (\S+) in/.exec(pairing.printed())?.[1] ?? ''
  const request = await unwrap(ada.mutation(api.runners.lookUp, { code }))
  expect(request).toMatchObject({ name: 'build-7', scopes: ['run:execute'] })
  expect(pairing.printed()).toContain(`fingerprint ${request.fingerprint}`)
  await unwrap(ada.mutation(api.runners.approve, { code, workspace: workspaceId }))
  expect(await pairing.exit).toEqual([0, null])
  expect(pairing.printed()).toContain(`Paired as build-7, with run:execute in ${workspaceId}.`)
  const status = await runProgram(main, options('status'))
  expect(status.stdout).toContain(`build-7: run:execute in ${workspaceId} of org_`)
})

it('takes a run, shows what it prints while it prints it, and ends', async () => {
  const seen = join(home, 'seen')
  const id = await begin(`console.log('one'); console.error('two'); ${whenThere(seen, "console.log('three')")}`)
  const runner = startRunner('run', '--once', '--', process.execPath, '-e')
  await vi.waitFor(async () => expect(await linesOf(id)).toEqual(expect.arrayContaining(['one', 'two'])), soon)
  await writeFile(seen, '')
  await runner.exit
  await rm(seen)
  expect(await linesOf(id)).toEqual(expect.arrayContaining(['one', 'two', 'three']))
  expect((await runs())[0]).toMatchObject({ _id: id, state: 'succeeded', runner: (await runners())[0]?.runner })
})

it('says that a run failed', async () => {
  const [id, none] = [
    await begin('process.exit(3)'),
    await runProgram(main, options('run', '--once', '--', process.execPath, '-e')),
  ]
  expect(none.stdout).toContain('failed')
  expect(await stateOf(id)).toBe('failed')
})

it('works on with a new token when its tokens are ended, and ends what somebody stops', async () => {
  const id = await begin(
    // What it starts in turn holds on to its output: it has to end as well.
    'require("node:child_process").spawn("sleep", ["600"], { stdio: "inherit" });' +
      'let n = 0; setInterval(() => console.log("tick", n++), 250)',
  )
  const runner = startRunner('run', '--once', '--', process.execPath, '-e')
  await vi.waitFor(async () => expect(await linesOf(id)).toContain('tick 0'), soon)
  const [known] = await runners()
  await unwrap(ada.mutation(api.runners.endTokens, { runner: known?.runner ?? '' }))
  const before = (await linesOf(id)).at(-1)
  await vi.waitFor(async () => expect((await linesOf(id)).at(-1)).not.toBe(before), soon)
  await unwrap(ada.mutation(api.runs.stop, { id }))
  await runner.exit
  expect(runner.printed()).toContain('stopped')
  expect(await stateOf(id)).toBe('stopped')
})

it('goes on with its work while the board is out of reach, and tells of it afterwards', async () => {
  const told = join(home, 'told')
  const id = await begin(`console.log('begun'); ${whenThere(told, "console.log('done in the dark')")}`)
  const runner = startRunner('run', '--once', '--', process.execPath, '-e')
  await vi.waitFor(async () => expect(await linesOf(id)).toContain('begun'), soon)
  stand.convex.setOutage(true)
  await runner.said('out of reach')
  await writeFile(told, '')
  stand.convex.setOutage(false)
  await runner.exit
  expect(runner.printed()).toContain('The board is back.')
  expect(await linesOf(id)).toContain('done in the dark')
  expect(await stateOf(id)).toBe('succeeded')
  await rm(told)
})

describe('routes of runners', () => {
  const routes = ['/jobs/whoami', '/jobs/take', '/jobs/report', '/jobs/finish']
  const post = (path: string, headers: Record<string, string> = {}, body = '{}') =>
    fetch(`${stand.convex.siteUrl}${path}`, { method: 'POST', headers, body })

  it.each(routes)('%s refuses strangers, people, and what is no token', async (path) => {
    const session = [...stand.clerk.world.sessions.values()].find(({ status }) => status === 'active')
    const token = stand.clerk.token(session?.id ?? '')
    for (const authorization of [undefined, `Bearer ${token}`, `DPoP ${token}`, 'DPoP a.b.c']) {
      const answer = await post(path, authorization === undefined ? {} : { authorization })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP /)
    }
  })

  it('take what they should, and leave another runner’s run alone', async () => {
    const keys = fileKeyStore(join(home, '.config', 'runboard', 'runner-key.json'), { onWarning: () => {} })
    const call = runnerFetch({ url: `${stand.convex.siteUrl}/runner`, keys })
    const ask = (path: string, body: string) => call(path, { method: 'POST', body })
    expect((await ask('/jobs/report', '{"id":1}')).status).toBe(400)
    expect((await ask('/jobs/take', 'nonsense')).status).toBe(400)
    const [ended] = await runs()
    expect(
      await (await ask('/jobs/report', JSON.stringify({ id: ended?._id, from: 0, lines: ['forged'] }))).json(),
    ).toEqual({
      goOn: false,
    })
    const finish = JSON.stringify({ id: ended?._id, succeeded: false })
    expect(await (await ask('/jobs/finish', finish)).json()).toEqual({ isTaken: false })
    // An answer that was lost is asked for again, and what it did is done once.
    const id = await begin('twice')
    const took = async () => (await ask('/jobs/take', '{}')).json()
    expect(await took()).toMatchObject({ id, task: 'twice', printed: 0 })
    expect(await took()).toMatchObject({ id })
    const line = (from: number, ...lines: string[]) => ask('/jobs/report', JSON.stringify({ id, from, lines }))
    for (const answer of [await line(0, 'a', 'b'), await line(0, 'a', 'b'), await line(1, 'b', 'c')]) {
      expect(await answer.json()).toEqual({ goOn: true })
    }
    expect(await linesOf(id)).toEqual(['a', 'b', 'c'])
    expect(await took()).toMatchObject({ id, printed: 3 })
    expect((await ask('/jobs/finish', JSON.stringify({ id, succeeded: true }))).status).toBe(200)
    expect(await took()).toBe(null)
    // A run of the other workspace is not there at all, though its person sees it.
    const other = (await ada.query(api.workspaces.list, {}))[1]?.workspaceId ?? ''
    const [foreign] = await ada.query(api.runs.list, { workspaceId: other })
    const report = JSON.stringify({ id: foreign?._id, from: 0, lines: ['forged'] })
    expect(await (await ask('/jobs/report', report)).json()).toEqual({ goOn: false })
  })
})

it('leaves its private key behind and nothing else, and after being unpaired not even that', async () => {
  const files = await readdir(home, { recursive: true, withFileTypes: true })
  const kept = files.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const key = join(home, '.config', 'runboard', 'runner-key.json')
  expect(kept).toEqual([key])
  expect((await stat(key)).mode & 0o777).toBe(0o600)
  canary.plant('private key', JSON.parse(await readFile(key, 'utf8')).d)
  expect(Object.keys(JSON.parse(await readFile(key, 'utf8')))).not.toContain('access_token')
  await runProgram(main, options('unpair'))
  expect((await readdir(home, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())).toEqual([])
  const after = await runProgram(main, options('status'))
  expect(after.code).toBe(1)
  expect(after.stderr).toContain('Pair the runner first')
})

it('writes down who let it in and what it did, and lets no secret out', async () => {
  const rows = await ada.query(api.audit.list, {})
  const actions = rows.map(({ action, outcome }) => `${action} ${outcome}`)
  expect(actions).toEqual(expect.arrayContaining(['run.take allowed', 'run.finish allowed', 'run.stop allowed']))
  expect(actions.filter((one) => one.startsWith('runner'))).not.toEqual([])
  canary.see('audit', rows)
  for (const { output } of started) canary.see('what the runner printed', output())
  expect(canary.leaks()).toEqual([])
})

it('says how it is used', async () => {
  const help = await runProgram(main, options('--help'))
  expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('pair [options]')])
  expect((await runProgram(main, options('walk'))).code).toBe(2)
})
