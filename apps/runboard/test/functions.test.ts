import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { fileURLToPath } from 'node:url'
import { AuthError, unwrap } from '@countersign/clerk-convex'
import { convexLoopback, fakeClerk } from '@countersign/clerk-convex/testing'
import { createCanary } from '@countersign/observability/testing'
import { ConvexHttpClient } from 'convex/browser'
import { convexTest } from 'convex-test'
import { rolldown } from 'rolldown'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { api, internal } from '../src/convex/_generated/api.js'
import { modules, schema } from './world.ts'

const canary = createCanary()
for (const name of ['log', 'warn', 'error'] as const) {
  vi.spyOn(console, name).mockImplementation((...said) => canary.see(name, said))
}

const clerk = await fakeClerk()
process.env.CLERK_ISSUER = clerk.issuer
process.env.CLERK_WEBHOOK_SIGNING_SECRET = clerk.webhookSecret
const t = convexTest({ schema, modules })
const { default: auth } = await import('../src/convex/auth.config.ts')
const loopback = await convexLoopback(t, { auth, modules })
clerk.subscribe(`${loopback.siteUrl}/auth/webhook`)
afterAll(async () => {
  await loopback.close()
  await clerk.close()
})

const organization = clerk.world.addOrganization({ name: 'Acme' })
/** Somebody in the organisation, with a session; a fresh organisation's rows are theirs to see. */
async function person(name: string, role: string) {
  const user = clerk.world.addUser({ email: `${name}@example.com` })
  clerk.world.setMembership({ organization, user, role: `org:${role}` })
  const session = clerk.world.addSession(user.id, organization.id)
  await clerk.delivered()
  return { user: user.id, session: session.id, client: as(session.id) }
}

/** The real client, with a token as Clerk's integration makes one for Convex. */
function as(session: string, minutesSinceProof = 0): ConvexHttpClient {
  const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
  const token = clerk.token(session, { claims: { aud: 'convex', fva: [minutesSinceProof, -1] } })
  canary.plant(`token of ${session}`, token)
  client.setAuth(token)
  return client
}

const ada = await person('ada', 'admin')
const mia = await person('mia', 'member')
const vic = await person('vic', 'viewer')
const audit = () => t.run(({ db }) => db.query('authAudit').collect())
const workspaceId = await unwrap(ada.client.mutation(api.workspaces.create, { name: 'Website', isPrivate: false }))
const repository = await unwrap(
  ada.client.mutation(api.repositories.connect, { workspaceId, name: 'api', isProtected: false }),
)
const vault = await unwrap(
  ada.client.mutation(api.repositories.connect, { workspaceId, name: 'vault', isProtected: true }),
)
const started = (where = repository) =>
  unwrap(mia.client.mutation(api.runs.start, { workspaceId, repository: where, task: 'npm test' }))
const pending = async () => {
  await started(vault)
  const [newest] = await ada.client.query(api.approvals.list, { workspaceId })
  return newest?._id as NonNullable<typeof newest>['_id']
}

describe('every privileged action', () => {
  type Call = (client: ConvexHttpClient) => Promise<unknown>
  const actions: [action: string, prepare: () => Promise<Call>][] = [
    [
      'run.start',
      async () => (client) => client.mutation(api.runs.start, { workspaceId, repository, task: 'npm test' }),
    ],
    [
      'run.stop',
      async () => {
        const id = await started()
        return (client) => client.mutation(api.runs.stop, { id })
      },
    ],
    [
      'run.approve',
      async () => {
        const id = await pending()
        return (client) => client.mutation(api.approvals.approve, { id })
      },
    ],
    [
      'run.reject',
      async () => {
        const id = await pending()
        return (client) => client.mutation(api.approvals.reject, { id })
      },
    ],
    [
      'repository.connect',
      async () => (client) =>
        client.mutation(api.repositories.connect, { workspaceId, name: 'web', isProtected: false }),
    ],
    [
      'repository.disconnect',
      async () => {
        const add = { workspaceId, name: `gone ${Math.random()}`, isProtected: false }
        const id = await unwrap(ada.client.mutation(api.repositories.connect, add))
        return (client) => client.mutation(api.repositories.disconnect, { id })
      },
    ],
    [
      'workspace.create',
      async () => (client) => client.mutation(api.workspaces.create, { name: 'Another', isPrivate: true }),
    ],
    ['workspace.admit', async () => (client) => client.mutation(api.workspaces.admit, { workspaceId, user: mia.user })],
  ]

  it.each(actions)('%s is one row, allowed or denied', async (action, prepare) => {
    const call = await prepare()
    const before = (await audit()).length
    await expect(unwrap(call(vic.client))).rejects.toMatchObject({ reason: 'missing_permission' })
    await unwrap(call(ada.client))
    const rows = (await audit()).slice(before).filter(({ kind }) => kind === 'action')
    expect(
      rows.map(({ action: name, outcome, reason, user, organization: org }) => [name, outcome, reason, user, org]),
    ).toEqual([
      [action, 'denied', 'missing_permission', vic.user, organization.id],
      [action, 'allowed', undefined, ada.user, organization.id],
    ])
  })

  it('is every one that people have; those of runners are tested with them', () => {
    const sources = readdirSync(new URL('../src/convex', import.meta.url)).filter((name) =>
      /^(?!jobs)\w+\.ts$/.test(name),
    )
    const named = sources.flatMap((name) =>
      [...readFileSync(new URL(`../src/convex/${name}`, import.meta.url), 'utf8').matchAll(/audit: '([^']+)'/g)].map(
        ([, action]) => action,
      ),
    )
    expect(named.sort()).toEqual(actions.map(([action]) => action).sort())
  })
})

it('stops a run only for who has proved lately who it is, and writes the refusal down', async () => {
  const id = await started()
  const stale = as(ada.session, 11)
  await expect(unwrap(stale.mutation(api.runs.stop, { id }))).rejects.toBeInstanceOf(AuthError)
  expect((await audit()).at(-1)).toMatchObject({ action: 'run.stop', outcome: 'denied', reason: 'step_up_required' })
  await unwrap(as(ada.session, 1).mutation(api.runs.stop, { id }))
  expect((await ada.client.query(api.runs.list, { workspaceId }))[0]).toMatchObject({ _id: id, state: 'stopped' })
})

it('lets a run in a protected repository wait for a yes', async () => {
  const states = async () =>
    (await mia.client.query(api.runs.list, { workspaceId })).slice(0, 2).map(({ state }) => state)
  const [yes, no] = [await pending(), await pending()]
  expect(await states()).toEqual(['waiting', 'waiting'])
  await unwrap(ada.client.mutation(api.approvals.approve, { id: yes }))
  await unwrap(ada.client.mutation(api.approvals.reject, { id: no }))
  expect(await states()).toEqual(['rejected', 'queued'])
  // What was decided stays decided.
  await unwrap(ada.client.mutation(api.approvals.approve, { id: no }))
  expect(await states()).toEqual(['rejected', 'queued'])
})

it('shows a private workspace to those who were let in', async () => {
  const secret = await unwrap(ada.client.mutation(api.workspaces.create, { name: 'Secret', isPrivate: true }))
  const names = async () => (await mia.client.query(api.workspaces.list, {})).map(({ name }) => name)
  expect(await names()).not.toContain('Secret')
  await expect(unwrap(mia.client.query(api.runs.list, { workspaceId: secret }))).rejects.toMatchObject({
    reason: 'workspace_hidden',
  })
  await unwrap(ada.client.mutation(api.workspaces.admit, { workspaceId: secret, user: mia.user }))
  expect(await names()).toContain('Secret')
})

it('shows the audit to admins, and to them only what is their organisation’s', async () => {
  const foreign = { kind: 'action', action: 'foreign.action', outcome: 'allowed', organization: 'org_b' } as const
  await t.run(({ db }) => db.insert('authAudit', { at: Date.now(), ...foreign }))
  const actions = (await ada.client.query(api.audit.list, {})).map(({ action }) => action)
  expect(actions).toContain('run.stop')
  expect(actions).not.toContain('foreign.action')
  await expect(unwrap(mia.client.query(api.audit.list, {}))).rejects.toMatchObject({ reason: 'missing_permission' })
})

it('answers who is signed in, to programs and to the page', async () => {
  const ask = (path: string, headers: Record<string, string>) => fetch(`${loopback.siteUrl}/auth/${path}`, { headers })
  const authorization = `Bearer ${clerk.token(mia.session, { claims: { aud: 'convex' } })}`
  expect(await (await ask('status', {})).json()).toEqual({ state: 'signed-out', phase: 'sealed' })
  const origin = 'http://127.0.0.1:5'
  const answer = await ask('user', { authorization, origin })
  expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  expect(await answer.json()).toMatchObject({
    user: mia.user,
    role: 'member',
    permissions: ['run:start', 'run:execute'],
  })
  expect((await ask('user', { authorization: 'Bearer a.b.c' })).status).toBe(401)
})

it('sweeps what has had its time, and nothing else', async () => {
  const sweep = () => t.mutation(internal.auth.sweep, {})
  await sweep()
  const kept = (await t.run(({ db }) => db.query('authWebhooks').collect())).length
  await t.run(({ db }) => db.insert('authWebhooks', { svixId: 'old', receivedAt: Date.now() - 4 * 86_400_000 }))
  expect(await sweep()).toEqual({ deleted: 1, more: false })
  expect((await t.run(({ db }) => db.query('authWebhooks').collect())).length).toBe(kept)
  expect(await t.mutation(internal.sweep.lines, {})).toBe(0)
})

it('has generated types for every module', () => {
  const folder = new URL('../src/convex/', import.meta.url)
  const generated = readFileSync(new URL('_generated/api.d.ts', folder), 'utf8')
  const names = readdirSync(folder).flatMap((name) => /^(?!schema|auth\.config)(\w+)\.ts$/.exec(name)?.[1] ?? [])
  expect([...generated.matchAll(/import type \* as (\w+)/g)].map(([, name]) => name)).toEqual(names.sort())
})

it('bundles without Node, as Convex bundles', async () => {
  const builtins: string[] = []
  const bundle = await rolldown({
    input: fileURLToPath(new URL('../src/convex/http.ts', import.meta.url)),
    platform: 'browser',
    onLog() {},
    plugins: [
      {
        name: 'builtins',
        resolveId(source) {
          if (!isBuiltin(source)) return null
          builtins.push(source)
          return { id: source, external: true }
        },
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  expect(builtins).toEqual([])
  expect(output[0].code.length).toBeLessThan(512 * 1024)
})

it('reads for auth.config.ts what it needs alone: Convex refuses one that reads what is not set', async () => {
  const { env } = process
  const read = new Set<string>()
  process.env = new Proxy(env, {
    get: (target, name) => {
      read.add(String(name))
      return Reflect.get(target, name)
    },
  })
  try {
    vi.resetModules()
    await import('../src/convex/auth.config.ts')
  } finally {
    process.env = env
  }
  expect([...read].filter((name) => /^(CLERK|RUNBOARD|CONVEX)_/.test(name)).sort()).toEqual([
    'CLERK_ISSUER',
    'CLERK_JWKS',
  ])
})

it('keeps tokens out of the audit and of the log', async () => {
  canary.see('audit', await audit())
  canary.see(
    'rows',
    await t.run(async ({ db }) =>
      Promise.all(Object.keys(schema.tables).map((table) => db.query(table as 'runs').collect())),
    ),
  )
  expect(canary.leaks()).toEqual([])
})
