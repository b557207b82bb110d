import { beforeAll, describe, expect, it, vi } from 'vitest'
import { isAuthError, unwrap } from '../src/index.ts'
import { runnerFetch } from '../src/node/runner/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'
import { api, internal } from './convex-runners/_generated/api.ts'

type Paired = Awaited<ReturnType<ConvexRunnerWorld['paired']>>

let world: ConvexRunnerWorld
let runner: Paired
beforeAll(async () => {
  world = await convexRunnerWorld()
  runner = await world.paired()
})

const fresh = async ({ key }: Paired = runner): Promise<string> => (await world.askUnattended(key)).body.access_token

/** The only job of a workspace. */
const jobOf = (workspace: string): Promise<string> =>
  world.t.run(async (ctx) => {
    const rows = await ctx.db.query('jobs').collect()
    return rows.find(({ workspaceId }) => workspaceId === workspace)?._id ?? ''
  })
const stateOf = (workspace: string): Promise<string | undefined> =>
  world.t.run(async (ctx) => (await ctx.db.query('jobs').collect()).find((row) => row.workspaceId === workspace)?.state)

describe('a job', () => {
  it('is done in the name of the runner and its person, and written down', async () => {
    const id = await jobOf('ws_1')
    const answer = await world.call(runner.key, await fresh(), { method: 'POST', path: `/jobs/take?id=${id}` })
    expect(answer.body).toEqual({ by: world.userId, runner: runner.id, workspace: 'ws_1' })
    expect(await stateOf('ws_1')).toBe('taken')
    expect(await world.audit('job.take')).toMatchObject([
      {
        outcome: 'allowed',
        user: world.userId,
        runner: runner.id,
        organization: world.organizationId,
        workspace: 'ws_1',
        ip: expect.stringContaining('127.0.0.1'),
      },
    ])
  })

  it('sees the rows of its workspace and no other', async () => {
    const { body } = await world.call(runner.key, await fresh())
    expect(body).toEqual([{ id: await jobOf('ws_1'), state: expect.any(String) }])
    for (const workspace of ['ws_2', 'ws_private', 'ws_other']) {
      const path = `/jobs/take?id=${await jobOf(workspace)}`
      const answer = await world.call(runner.key, await fresh(), { method: 'POST', path })
      expect([answer.status, answer.body]).toEqual([404, { error: 'not_found' }])
      expect(await stateOf(workspace)).toBe('waiting')
    }
    const elsewhere = await world.call(runner.key, await fresh(), { path: '/jobs/elsewhere' })
    expect([elsewhere.status, elsewhere.body]).toEqual([403, { error: 'workspace_hidden' }])
  })

  it('may not do what its person may and it was not given', async () => {
    const answer = await world.call(runner.key, await fresh(), { method: 'POST', path: '/notes' })
    expect([answer.status, answer.body]).toEqual([403, { error: 'missing_permission' }])
    expect(await world.t.run((ctx) => ctx.db.query('notes').collect())).toEqual([])
  })

  it('may do no more than its token was for', async () => {
    const { body } = await world.askUnattended(runner.key, { scope: 'job:read' })
    const path = `/jobs/take?id=${await jobOf('ws_1')}`
    expect((await world.call(runner.key, body.access_token, { method: 'POST', path })).status).toBe(403)
    expect((await world.call(runner.key, body.access_token)).status).toBe(200)
    // Nor in a function that asks for more than its route.
    const sly = `/jobs/sly?id=${await jobOf('ws_1')}`
    const answer = await world.call(runner.key, body.access_token, { method: 'POST', path: sly })
    expect([answer.status, answer.body]).toEqual([403, { error: 'missing_permission' }])
    expect((await world.call(runner.key, await fresh(), { method: 'POST', path: sly })).status).toBe(200)
  })

  it('is in its runner’s name, whatever its route says', async () => {
    const { body } = await world.call(runner.key, await fresh(), { path: '/jobs/forged' })
    expect(body).toEqual([{ id: await jobOf('ws_1'), state: expect.any(String) }])
  })

  it('goes through actions in the same name', async () => {
    const act = async (workspace: string) =>
      world.call(runner.key, await fresh(), { method: 'POST', path: `/jobs/act?id=${await jobOf(workspace)}` })
    expect((await act('ws_1')).body).toMatchObject({ by: world.userId, runner: runner.id })
    const elsewhere = await act('ws_2')
    expect([elsewhere.status, elsewhere.body]).toEqual([404, { error: 'not_found' }])
  })

  it('ends in its middle with the tokens of its runner, and is not made again by itself', async () => {
    const own = await world.paired({ name: 'middle' })
    const { whenEnded } = await import('./convex-runners/http.ts')
    whenEnded(async (id) => void (await world.as().mutation(api.runners.endTokens, { runner: id })))
    const call = runnerFetch({ url: world.url, keys: own.keys, clock: world.clock })
    const response = await call(`/jobs/ended?id=${await jobOf('ws_1')}`, { method: 'POST' })
    expect([response.status, await response.json()]).toEqual([403, { error: 'runner_ended' }])
    const taken = (await world.audit('job.take')).filter(({ runner: by }) => by === own.id)
    expect(taken.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['allowed', undefined],
      ['denied', 'runner_ended'],
    ])
    expect((await call('/whoami')).status).toBe(200)
  })

  it('that fails is a fault of the server and no refusal', async () => {
    const rows = (await world.refusals()).length
    expect((await world.call(runner.key, await fresh(), { path: '/broken' })).status).toBe(500)
    expect((await world.refusals()).length).toBe(rows)
  })

  it('goes on later in the same name, unless the tokens of its runner were ended', async () => {
    const own = await world.paired({ name: 'later' })
    const id = await jobOf('ws_1')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const taken = async () => (await world.audit('job.take')).filter(({ runner: by }) => by === own.id)
      const principal = (epoch: number) => ({
        organization: world.organizationId,
        user: world.userId,
        runner: { id: own.id, epoch, scopes: ['job:run'] },
      })
      await world.t.mutation(internal.jobs.finishLater, { id: id as never, principal: principal(1) })
      await world.t.finishAllScheduledFunctions(vi.runAllTimers)
      expect(await taken()).toMatchObject([{ outcome: 'allowed' }])
      await world.t.mutation(internal.jobs.finishLater, { id: id as never, principal: principal(1) })
      await endTokens(own.id)
      await world.t.finishAllScheduledFunctions(vi.runAllTimers)
      expect(await taken()).toMatchObject([{ outcome: 'allowed' }, { outcome: 'denied', reason: 'runner_ended' }])
    } finally {
      vi.useRealTimers()
    }
  })
})

/** Without the wire, whose timers stand still here. */
async function endTokens(id: string): Promise<void> {
  await world.t.run(async (ctx) => {
    const row = await ctx.db
      .query('authRunners')
      .withIndex('by_runner', (q) => q.eq('runner', id))
      .unique()
    if (row !== null) await ctx.db.patch(row._id, { epoch: row.epoch + 1 })
  })
}

describe('people', () => {
  const reasonOf = (call: Promise<unknown>): Promise<string | undefined> =>
    unwrap(call).then(
      () => 'done',
      (error: unknown) => (isAuthError(error) ? error.reason : String(error)),
    )

  it('see what they are asked, by the code that they type in', async () => {
    const { runners } = api
    const asked: unknown[] = []
    const own = world.paired({
      name: 'asked',
      fetch: async (url, init) => {
        const answer = await fetch(url, init)
        if (!url.endsWith('/device_authorization')) return answer
        const body = await answer.json()
        asked.push(await world.as().mutation(runners.lookUp, { code: body.user_code.toLowerCase() }))
        return Response.json(body)
      },
    })
    const { key } = await own
    expect(asked).toEqual([
      {
        name: 'asked',
        scopes: ['job:run', 'job:read'],
        fingerprint: key.thumbprint.slice(0, 8),
        expiresAt: expect.any(Number),
      },
    ])
  })

  it('list the runners of a workspace that they see', async () => {
    const list = await world.as().query(api.runners.list, { workspace: 'ws_1' })
    expect(list.map(({ name }) => name)).toContain('builder')
    expect(list[0]).toEqual({
      runner: expect.stringMatching(/^runner_/),
      name: expect.any(String),
      workspace: 'ws_1',
      owner: world.userId,
      scopes: ['job:run', 'job:read'],
      fingerprint: expect.stringMatching(/^.{8}$/),
      revoked: false,
      pairedAt: expect.any(Number),
    })
    expect(await world.as().query(api.runners.list, { workspace: 'ws_2' })).toEqual([])
    await expect(world.as().query(api.runners.list, { workspace: 'ws_private' })).rejects.toThrow()
    await expect(world.as().query(api.runners.list, { workspace: 'ws_other' })).rejects.toThrow()
  })

  it('without the permission answer nothing and end nothing', async () => {
    const member = world.person('member')
    await world.setRole(member, 'member')
    const as = world.as(member)
    const { runner: id } = { runner: runner.id }
    expect(await reasonOf(as.mutation(api.runners.lookUp, { code: 'x' }))).toBe('missing_permission')
    expect(await reasonOf(as.mutation(api.runners.approve, { code: 'x', workspace: 'ws_1' }))).toBe(
      'missing_permission',
    )
    expect(await reasonOf(as.mutation(api.runners.deny, { code: 'x' }))).toBe('missing_permission')
    expect(await reasonOf(as.mutation(api.runners.endTokens, { runner: id }))).toBe('missing_permission')
    expect(await reasonOf(as.mutation(api.runners.revoke, { runner: id }))).toBe('missing_permission')
    expect((await world.call(runner.key, await fresh())).status).toBe(200)
  })

  it('end the tokens of a runner at once, and it gets new ones', async () => {
    const own = await world.paired({ name: 'epoch' })
    const token = await fresh(own)
    expect((await world.call(own.key, token)).status).toBe(200)
    expect(await unwrap(world.as().mutation(api.runners.endTokens, { runner: own.id }))).toBeNull()
    expect((await world.call(own.key, token)).status).toBe(401)
    expect((await world.refusals()).at(-1)).toBe('epoch_revoked')
    expect((await world.call(own.key, await fresh(own))).status).toBe(200)
    expect((await world.audit('runner.tokens_ended')).slice(-1)).toMatchObject([{ user: world.userId, runner: own.id }])
  })

  it('revoke a runner for good, and free its name', async () => {
    const own = await world.paired({ name: 'gone' })
    const token = await fresh(own)
    expect(await unwrap(world.as().mutation(api.runners.revoke, { runner: own.id }))).toBeNull()
    expect((await world.call(own.key, token)).status).toBe(401)
    expect((await world.refusals()).at(-1)).toBe('runner_revoked')
    expect((await world.askUnattended(own.key)).body.error).toBe('invalid_grant')
    expect(await world.audit('runner.revoked')).toMatchObject([{ user: world.userId, runner: own.id }])
    const next = await world.paired({ name: 'gone' })
    expect((await world.call(next.key, await fresh(next))).status).toBe(200)
  })

  it('of another organisation, and who does not see the workspace, know no such runner', async () => {
    const foreign = world.person('admin', 'Elsewhere')
    await world.setRole(foreign, 'admin')
    const outsider = world.person('admin')
    await world.setRole(outsider, 'admin')
    await world.t.run((ctx) =>
      ctx.db.insert('authWorkspaceMembers', {
        organization: world.organizationId,
        workspace: 'ws_private',
        user: world.userId,
      }),
    )
    const hidden = await world.paired({ name: 'hidden', workspace: 'ws_private' })
    expect(await reasonOf(world.as(foreign).mutation(api.runners.revoke, { runner: runner.id }))).toBe('not_a_member')
    expect(await reasonOf(world.as(outsider).mutation(api.runners.revoke, { runner: hidden.id }))).toBe(
      'unpaired_runner',
    )
    expect(await reasonOf(world.as(outsider).mutation(api.runners.revoke, { runner: 'runner_x' }))).toBe(
      'unpaired_runner',
    )
    expect((await world.call(hidden.key, await fresh(hidden))).status).toBe(200)
    expect(await reasonOf(world.as().mutation(api.runners.revoke, { runner: hidden.id }))).toBe('done')
  })
})

it('exchanges the session of a person who is there, within their role', async () => {
  const member = world.person('member')
  await world.setRole(member, 'member')
  const wide = await world.paired({ name: 'wide', scopes: ['job:run', 'repo:push'] })
  const exchange = (user?: string, scope?: string) =>
    world.ask(wide.key, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: world.session(user),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      ...(scope === undefined ? {} : { scope }),
    })
  const { body } = await exchange(member)
  expect(body).toMatchObject({ token_type: 'DPoP', scope: 'job:run', expires_in: 600, workspace: 'ws_1' })
  const who = await world.call(wide.key, body.access_token, { path: '/whoami' })
  expect(who.body).toMatchObject({ subject: member, runner: 'wide' })
  expect((await exchange(member, 'repo:push')).body.error).toBe('invalid_scope')
  expect((await exchange()).body.scope).toBe('job:run repo:push')
  expect((await world.audit('runner.token_issued')).at(-2)).toMatchObject({
    kind: 'runner',
    outcome: 'allowed',
    reason: 'session',
    user: member,
    runner: wide.id,
    token: expect.stringMatching(/^.{22}$/),
  })
})
