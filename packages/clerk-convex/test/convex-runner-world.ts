import { type DpopKey, importDpopKey } from '@countersign/tokens/dpop'
import { type TestClock, testClock } from '@countersign-tooling/clock'
import { ConvexHttpClient } from 'convex/browser'
import type { DataModelFromSchemaDefinition } from 'convex/server'
import { convexTest, type TestConvexForDataModel } from 'convex-test'
import { clerkProvider } from '../src/auth-config/index.ts'
import { unwrap } from '../src/index.ts'
import { type KeyStore, type PairedRunner, type PairRunnerOptions, pairRunner } from '../src/node/runner/index.ts'
import type { RunnerClaims } from '../src/runner/index.ts'
import { type ConvexLoopback, convexLoopback } from '../src/testing/index.ts'
import { atEnd, type ClerkWorld, clerkWorld, origin as pageOrigin } from './clerk-world.ts'
import { api } from './convex-runners/_generated/api.ts'
import { type RunnerCalls, runnerCalls } from './runner-calls.ts'
import { inTime, memoryKeys } from './runner-world.ts'

const clock = testClock()
const clerk = await clerkWorld({ clock })
// As an app reads it from its deployment's environment, when its modules are loaded.
process.env.TEST_RUNNERS_CLERK = clerk.clerk.issuer
const { place, told } = await import('./convex-runners/auth.ts')
const { default: schema } = await import('./convex-runners/schema.ts')

export { told }

export const modules = import.meta.glob('./convex-runners/**/*.ts')
type Caller = TestConvexForDataModel<DataModelFromSchemaDefinition<typeof schema>>

export interface ConvexRunnerWorld extends ClerkWorld, RunnerCalls {
  readonly clock: TestClock
  readonly t: Caller
  readonly loopback: ConvexLoopback
  readonly url: string
  readonly origin: string
  /** Calls of a signed-in person, over HTTP. @default ada, admin of the organisation */
  as(user?: string, organization?: string): ConvexHttpClient
  /** A person of an organisation of Clerk's, with a session. */
  person(role: string, organization?: string): string
  session(user?: string): string
  pair(options?: Partial<PairRunnerOptions> & { readonly workspace?: string }): Promise<PairedRunner>
  paired(options?: Parameters<ConvexRunnerWorld['pair']>[0]): Promise<{ key: DpopKey; id: string; keys: KeyStore }>
  /** Signed by the deployment, as none of our mutations would. */
  forge(claims: Partial<RunnerClaims>, life?: number): Promise<string>
  setRole(user: string, role: string | undefined): Promise<void>
  audit(action?: string): Promise<Awaited<ReturnType<typeof auditRows>>>
  refusals(): Promise<(string | undefined)[]>
}

const auditRows = (t: Caller) => t.run((ctx) => ctx.db.query('authAudit').collect())

const template = { name: 'convex', audience: 'convex' }

/** A deployment on loopback, with two workspaces of ada's organisation and one of another's. */
export async function convexRunnerWorld(): Promise<ConvexRunnerWorld> {
  told.length = 0
  const t = convexTest({ schema, modules })
  const auth = { providers: [clerkProvider({ issuer: clerk.clerk.issuer, jwks: clerk.clerk.jwks })] }
  const loopback = await convexLoopback(t, { auth, modules, now: clock.now, followMs: 1_000 })
  atEnd(() => loopback.close())
  const verificationUrl = 'https://app.example.com/pair'
  Object.assign(place, {
    now: clock.now,
    deployment: { cloudUrl: loopback.url, siteUrl: loopback.siteUrl, verificationUrl },
    sessions: () => clerk.verifier({ authorizedParties: [pageOrigin], keys: clerk.clerk.jwks }),
  })
  const { organizationId, userId } = clerk
  const ours = clerk.clerk.world.organizations.get(organizationId)
  if (ours === undefined) throw new Error('Clerk has lost the organisation.')
  const url = `${loopback.siteUrl}/runner`
  const sessions = new Map([[userId, clerk.sessionId]])

  const setRole = (user: string, role: string | undefined, organization = organizationId) =>
    t.run(async (ctx) => {
      const row = await ctx.db
        .query('authMemberships')
        .withIndex('by_organization_user', (q) => q.eq('organization', organization).eq('user', user))
        .unique()
      const now = { role: role ?? row?.role ?? 'guest', state: role === undefined ? 'removed' : 'active' } as const
      if (row !== null) await ctx.db.patch(row._id, now)
      else await ctx.db.insert('authMemberships', { organization, user, ...now, changedAt: 1 })
    })
  await setRole(userId, 'admin')
  const workspaces = [
    [organizationId, 'ws_1', 'organization'],
    [organizationId, 'ws_2', 'organization'],
    [organizationId, 'ws_private', 'private'],
    ['org_other', 'ws_other', 'organization'],
  ] as const
  await t.run(async (ctx) => {
    for (const [organization, workspace, visibility] of workspaces) {
      await ctx.db.insert('authWorkspaces', { organization, workspace, visibility })
      await ctx.db.insert('jobs', { orgId: organization, workspaceId: workspace, state: 'waiting' })
    }
  })

  const sessionOf = (user = userId): string => sessions.get(user) ?? ''
  const as = (user = userId): ConvexHttpClient => {
    const client = new ConvexHttpClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    client.setAuth(clerk.clerk.token(sessionOf(user), { template }))
    return client
  }

  const pair: ConvexRunnerWorld['pair'] = async ({ workspace = 'ws_1', ...options } = {}) => {
    let resolve = (_code: string): void => {}
    const promise = new Promise<string>((done) => {
      resolve = done
    })
    const pairing = pairRunner({
      url,
      name: 'builder',
      scopes: ['job:run', 'job:read'],
      keys: memoryKeys(),
      clock,
      ...options,
      onCode: ({ userCode }) => resolve(userCode),
    })
    const code = await Promise.race([promise, pairing.then(() => '')])
    await unwrap(as().mutation(api.runners.approve, { code, workspace }))
    return await inTime(clock, pairing)
  }

  return {
    ...clerk,
    ...runnerCalls(url, clock),
    clock,
    t,
    loopback,
    url,
    origin: loopback.siteUrl,
    as,
    session: (user) => clerk.clerk.token(sessionOf(user)),
    person: (role, organization) => {
      const { world } = clerk.clerk
      const user = world.addUser({ email: `${crypto.randomUUID()}@example.com` })
      const chosen = organization === undefined ? ours : world.addOrganization({ name: organization })
      world.setMembership({ organization: chosen, user, role: `org:${role}` })
      sessions.set(user.id, world.addSession(user.id, chosen.id).id)
      return user.id
    },
    pair,
    paired: async (options = {}) => {
      const { keys = memoryKeys() } = options
      const { runner } = await pair({ ...options, keys })
      return { key: await importDpopKey(await keys.load()), id: runner, keys }
    },
    forge: (claims, life = 600) => loopback.key.signJwt({ claims: { ...claims } as never, expiresInSeconds: life }),
    setRole,
    audit: async (action) => (await auditRows(t)).filter((row) => action === undefined || row.action === action),
    refusals: async () =>
      (await auditRows(t)).filter(({ action }) => action === 'runner.refused').map(({ reason }) => reason),
  }
}
