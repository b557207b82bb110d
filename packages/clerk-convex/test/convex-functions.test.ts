import { afterEach, describe, expect, it, vi } from 'vitest'
import { isAuthError, unwrap } from '../src/index.ts'
import { api, internal } from './convex/_generated/api.ts'
import { told } from './convex/auth.ts'
import { createWorld } from './convex-world.ts'

/** The reason of a denial, whichever way it came. */
async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await unwrap(call)
    return undefined
  } catch (error) {
    if (isAuthError(error) && error.code === 'access_denied') return error.reason
    throw error
  }
}

const recent = { fva: [0, -1], iat: Math.floor(Date.now() / 1_000) }

describe('who is let in', () => {
  type World = Awaited<ReturnType<typeof createWorld>>
  const refused: [why: string, who: (world: World) => World['t'] | ReturnType<World['as']>, reason: string][] = [
    ['is signed out', ({ t }) => t, 'signed_out'],
    ['has a session with a task left', ({ as }) => as('ada', 'org_a', { sts: 'pending' }), 'pending_session'],
    ['has claims that contradict each other', ({ as }) => as('ada', 'org_a', { org_id: 'org_b' }), 'signed_out'],
    ['has chosen no organisation', ({ as }) => as('ada'), 'no_organization'],
    ['has chosen an organisation of others', ({ as }) => as('ada', 'org_b'), 'not_a_member'],
    ['claims a role there', ({ as }) => as('ada', 'org_b', { org_role: 'org:admin' }), 'not_a_member'],
    ['was removed', ({ as }) => as('rex', 'org_a'), 'not_a_member'],
    [
      'is of another issuer, with the same subject',
      ({ as }) => as('ada', 'org_a', { issuer: 'https://x.test' }),
      'unknown_user',
    ],
  ]
  it.each(refused)('refuses who %s', async (_why, who, reason) => {
    const world = await createWorld()
    const caller = who(world)
    expect(await reasonOf(caller.query(api.projects.list, {}))).toBe(reason)
    expect(await reasonOf(caller.mutation(api.projects.create, { name: 'x' }))).toBe(reason)
    expect(await reasonOf(caller.action(api.projects.renameAction, { id: world.ids.projectA, name: 'x' }))).toBe(reason)
    expect(await world.t.run((ctx) => ctx.db.query('projects').collect())).toHaveLength(2)
  })

  it('reads the organisation in every spelling of the claims', async () => {
    const { t, as } = await createWorld()
    const issuer = 'https://clerk.test'
    for (const claims of [{ o: { id: 'org_a' } }, { 'o.id': 'org_a' }, { org_id: 'org_a' }]) {
      const rows = await t.withIdentity({ subject: 'ada', issuer, ...claims }).query(api.projects.list, {})
      expect(rows.map(({ name }) => name)).toEqual(['alpha'])
    }
    expect(await reasonOf(as('mia', 'org_a', { 'o.rol': 'admin' }).mutation(api.projects.create, { name: 'x' }))).toBe(
      'missing_permission',
    )
  })

  it('knows a subject of another issuer by its link only', async () => {
    const { t } = await createWorld()
    const legacy = { subject: '42', issuer: 'https://legacy.test', org_id: 'org_a' }
    expect(await reasonOf(t.withIdentity(legacy).query(api.projects.list, {}))).toBe('unknown_user')
    await t.run((ctx) => ctx.db.insert('authIdentities', { tokenIdentifier: 'https://legacy.test|42', user: 'ada' }))
    expect(await t.withIdentity(legacy).query(api.projects.list, {})).toHaveLength(1)
  })

  it('closes what a closed account or organisation had, at once', async () => {
    const { t, as } = await createWorld()
    await t.run((ctx) => ctx.db.insert('authUsers', { user: 'ada', state: 'deleted', changedAt: 1 }))
    await t.run((ctx) => ctx.db.insert('authOrganizations', { organization: 'org_b', state: 'deleted', changedAt: 1 }))
    expect(await reasonOf(as('ada', 'org_a').query(api.projects.list, {}))).toBe('unknown_user')
    expect(await reasonOf(as('bob', 'org_b').query(api.projects.list, {}))).toBe('not_a_member')
  })
})

describe('what they see', () => {
  it('lists, ranges and pages within the organisation', async () => {
    const { as } = await createWorld()
    const ada = as('ada', 'org_a')
    expect((await ada.query(api.projects.list, {})).map(({ orgId }) => orgId)).toEqual(['org_a'])
    expect(await ada.query(api.projects.byName, { name: 'beta' })).toEqual([])
    expect(await ada.query(api.projects.byName, { name: 'alpha' })).toHaveLength(1)
    const { page } = await ada.query(api.projects.page, { paginationOpts: { numItems: 20, cursor: null } })
    expect(page.map(({ name }) => name)).toEqual(['alpha'])
  })

  it('answers the same for a foreign id as for none', async () => {
    const { as, ids } = await createWorld()
    const ada = as('ada', 'org_a')
    expect(await ada.query(api.projects.read, { id: ids.projectB })).toBeNull()
    expect(await reasonOf(ada.mutation(api.projects.rename, { id: ids.projectB, name: 'mine' }))).toBe('not_found')
    expect(await reasonOf(ada.mutation(api.projects.overwrite, { id: ids.projectB, name: 'mine' }))).toBe('not_found')
    expect(await reasonOf(as('ada', 'org_a', recent).mutation(api.projects.remove, { id: ids.projectB }))).toBe(
      'not_found',
    )
    expect(await ada.action(api.projects.renameAction, { id: ids.projectB, name: 'mine' })).toBe('refused')
  })

  it('keeps workspaces from those who are not in them', async () => {
    const { as, ids } = await createWorld()
    const inside = as('ada', 'org_a')
    const outside = as('out', 'org_a')
    expect(await inside.query(api.runs.list, { workspaceId: 'private_a' })).toHaveLength(1)
    expect(await reasonOf(outside.query(api.runs.list, { workspaceId: 'private_a' }))).toBe('workspace_hidden')
    expect(await reasonOf(inside.query(api.runs.list, { workspaceId: 'open_b' }))).toBe('workspace_hidden')
    expect(await reasonOf(inside.query(api.runs.list, { workspaceId: 'no_such' }))).toBe('workspace_hidden')
    expect(await inside.query(api.runs.read, { id: ids.privateRunA })).not.toBeNull()
    expect(await outside.query(api.runs.read, { id: ids.privateRunA })).toBeNull()
    expect(await outside.query(api.runs.read, { id: ids.openRunA })).not.toBeNull()
    expect(await reasonOf(outside.mutation(api.runs.stop, { id: ids.privateRunA }))).toBe('not_found')
    expect(await reasonOf(outside.mutation(api.runs.move, { id: ids.openRunA, workspaceId: 'private_a' }))).toBe(
      'workspace_hidden',
    )
    expect(await reasonOf(outside.mutation(api.runs.start, { workspaceId: 'private_a' }))).toBe('workspace_hidden')
  })

  it('gives a user their own rows, whatever organisation they are in', async () => {
    const { as, ids } = await createWorld()
    expect(await as('ada').query(api.people.drafts, {})).toHaveLength(1)
    expect(await as('bob', 'org_b').query(api.people.drafts, {})).toEqual([])
    expect(await reasonOf(as('bob').mutation(api.people.erase, { id: ids.draft }))).toBe('not_found')
    expect(await as('ada').action(api.people.greet, {})).toBe('Hello ada')
  })

  it('stamps new rows with their tenant', async () => {
    const { t, as } = await createWorld()
    await as('mia', 'org_a').mutation(api.runs.start, { workspaceId: 'private_a' })
    await as('bob').mutation(api.people.draft, { text: 'new' })
    const { runs, drafts } = await t.run(async (ctx) => ({
      runs: await ctx.db.query('runs').order('desc').first(),
      drafts: await ctx.db.query('drafts').order('desc').first(),
    }))
    expect(runs).toMatchObject({ orgId: 'org_a', workspaceId: 'private_a', state: 'running' })
    expect(drafts).toMatchObject({ owner: 'bob', text: 'new' })
  })
})

describe('what they may do', () => {
  it('takes the role from the table, and follows it at once', async () => {
    const { t, as, ids } = await createWorld()
    const mia = as('mia', 'org_a')
    expect(await reasonOf(mia.mutation(api.runs.stop, { id: ids.openRunA }))).toBe('missing_permission')
    await t.run(async (ctx) => {
      const row = await ctx.db
        .query('authMemberships')
        .withIndex('by_organization_user', (q) => q.eq('organization', 'org_a').eq('user', 'mia'))
        .unique()
      if (row !== null) await ctx.db.patch(row._id, { role: 'admin' })
    })
    expect(await reasonOf(mia.mutation(api.runs.stop, { id: ids.openRunA }))).toBeUndefined()
  })

  const now = Math.floor(Date.now() / 1_000)
  const steps: [what: string, claims: Record<string, number | number[]>, reason: string | undefined][] = [
    ['the first factor was just verified and there is no second', { fva: [0, -1], iat: now }, undefined],
    ['the second factor was just verified', { fva: [90, 0], iat: now }, undefined],
    ['the second factor is old', { fva: [0, 11], iat: now }, 'step_up_required'],
    ['the first factor is old', { fva: [11, -1], iat: now }, 'step_up_required'],
    ['the token has become old since', { fva: [0, -1], iat: now - 601 }, 'step_up_required'],
    ['no factor was verified', { fva: [-1, -1], iat: now }, 'step_up_required'],
    ['the token does not tell', { iat: now }, 'step_up_required'],
    ['the token does not tell when it was made', { fva: [0, -1] }, 'step_up_required'],
  ]
  it.each(steps)('answers a call for step-up when %s', async (_what, claims, reason) => {
    const { as, ids } = await createWorld()
    const call = as('ada', 'org_a', claims).mutation(api.projects.remove, { id: ids.projectA })
    expect(await reasonOf(call)).toBe(reason)
  })

  it('lets internal functions act in the name that they are told, as it stands when they run', async () => {
    const { t, ids } = await createWorld()
    const rename = (principal: { organization: string; user?: string; system?: string }) =>
      reasonOf(t.mutation(internal.projects.renameFor, { id: ids.projectA, name: 'x', principal }))
    expect(await rename({ organization: 'org_a', user: 'ada' })).toBeUndefined()
    expect(await rename({ organization: 'org_a', system: 'nightly' })).toBeUndefined()
    expect(await rename({ organization: 'org_a', user: 'rex' })).toBe('not_a_member')
    expect(await rename({ organization: 'org_a', user: 'mia' })).toBe('missing_permission')
    expect(await rename({ organization: 'org_b', system: 'nightly' })).toBe('not_found')
    expect(await rename({ organization: 'org_a' })).toBe('not_a_member')
    expect(await rename({ organization: 'org_a', user: 'ada', system: 'nightly' })).toBe('not_a_member')
  })
})

describe('what is scheduled', () => {
  afterEach(() => void vi.useRealTimers())
  const later: [who: string, removed: boolean, name: string][] = [
    ['is done in the name of who scheduled it', false, 'later'],
    ['is denied when they were removed meanwhile', true, 'alpha'],
  ]
  it.each(later)('%s', async (_who, removed, name) => {
    vi.useFakeTimers()
    const { t, as, ids, audit } = await createWorld()
    await unwrap(as('ada', 'org_a').mutation(api.projects.renameLater, { id: ids.projectA, name: 'later' }))
    await t.run(async (ctx) => {
      const row = await ctx.db
        .query('authMemberships')
        .withIndex('by_organization_user', (q) => q.eq('organization', 'org_a').eq('user', 'ada'))
        .unique()
      if (removed && row !== null) await ctx.db.patch(row._id, { state: 'removed' })
    })
    await t.finishAllScheduledFunctions(vi.runAllTimers)
    expect(await t.run((ctx) => ctx.db.get(ids.projectA))).toMatchObject({ name })
    const last = (await audit()).at(-1)
    expect([last?.action, last?.outcome]).toEqual(['project.rename_for', removed ? 'denied' : 'allowed'])
  })
})

describe('the audit', () => {
  it('has one row for each privileged call, allowed or denied', async () => {
    const { as, ids, audit } = await createWorld()
    await as('ada', 'org_a').mutation(api.runs.stop, { id: ids.openRunA })
    await as('mia', 'org_a').mutation(api.runs.stop, { id: ids.openRunA })
    await as('bob', 'org_b').mutation(api.runs.stop, { id: ids.openRunA })
    await as('ada', 'org_a').action(api.projects.renameAction, { id: ids.projectA, name: 'x' })
    await as('mia', 'org_a').action(api.projects.renameAction, { id: ids.projectA, name: 'x' })
    const rows = (await audit()).map(({ action, outcome, reason, user }) => [user, action, outcome, reason])
    expect(rows).toEqual([
      ['ada', 'run.stop', 'allowed', undefined],
      ['mia', 'run.stop', 'denied', 'missing_permission'],
      ['bob', 'run.stop', 'denied', 'not_found'],
      ['ada', 'project.rename_by_action', 'allowed', undefined],
      ['ada', 'project.rename_for', 'allowed', undefined],
      ['mia', 'project.rename_by_action', 'denied', 'missing_permission'],
    ])
  })

  it('says where a call came from, and nothing of the token', async () => {
    const { t, ids, audit } = await createWorld()
    const who = {
      subject: 'ada',
      issuer: 'https://clerk.test',
      org_id: 'org_a',
      sid: 'sess_1',
      canary: 'token material',
    }
    const caller = t.withIdentity(who).withRequestMetadata({ ip: '192.0.2.1', userAgent: 'x'.repeat(1_000) })
    await caller.mutation(api.runs.stop, { id: ids.openRunA })
    const [row] = await audit()
    expect(row).toMatchObject({ ip: '192.0.2.1', session: 'sess_1', organization: 'org_a', kind: 'action' })
    expect(row?.userAgent).toHaveLength(256)
    expect(JSON.stringify(row)).not.toContain('token material')
  })

  it('is a line of the log where a query is denied, since it cannot write', async () => {
    const { as, audit } = await createWorld()
    await reasonOf(as('bob', 'org_a').query(api.projects.list, {}))
    expect(await audit()).toEqual([])
    expect(told).toEqual([
      {
        type: 'denied',
        kind: 'query',
        action: 'projects:list',
        reason: 'not_a_member',
        user: 'bob',
        organization: 'org_a',
      },
    ])
  })

  it('is a line of the log where a query takes the raw database', async () => {
    const { t } = await createWorld()
    expect(await t.query(api.people.version, {})).toBe('1')
    expect(told).toEqual([{ type: 'unsafe_db', reason: 'counts nothing, for a test' }])
  })

  it('rolls back everything, and tells the log, where a call is denied after it wrote', async () => {
    const { t, as, ids, audit } = await createWorld()
    const call = as('ada', 'org_a').mutation(api.runs.stopTwo, { first: ids.openRunA, second: ids.runB })
    expect(await reasonOf(call)).toBe('not_found')
    expect(await t.run((ctx) => ctx.db.get(ids.openRunA))).toMatchObject({ state: 'running' })
    expect(await audit()).toEqual([])
    expect(told).toMatchObject([{ type: 'denied', kind: 'rolled_back', reason: 'not_found', user: 'ada' }])
  })
})
