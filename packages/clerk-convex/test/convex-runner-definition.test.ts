import type { FunctionReference } from 'convex/server'
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import {
  authTables,
  defineAuth,
  explicitPrincipal,
  type RunnerAction,
  readCard,
  runnerTables,
} from '../src/convex/index.ts'
import { api, internal } from './convex-runners/_generated/api.ts'
import { runners } from './convex-runners/runners.ts'

const identities = { clerkIssuer: 'https://clerk.test' }
const roles = { admin: ['run:start', 'runner:pair', 'runner:end', 'two words'] } as const
const auth = defineAuth({ schema: defineSchema({ ...authTables, ...runnerTables }), tenants: {}, roles, identities })
const good = {
  deployment: () => ({ cloudUrl: 'https://a', siteUrl: 'https://b', verificationUrl: 'https://c' }),
  scopes: ['run:start'],
  permissions: { pair: 'runner:pair', end: 'runner:end' },
} as const

describe('runnerRoute', () => {
  const bad: [what: string, options: object, named: RegExp][] = [
    ['a scope that no role has', { ...good, scopes: ['run:stop'] }, /run:stop/],
    ['a scope that is no scope', { ...good, scopes: ['two words'] }, /scope/],
    ['no scopes', { ...good, scopes: [] }, /1 to 32/],
    ['a permission that no role has', { ...good, permissions: { pair: 'x', end: 'runner:end' } }, /permissions/],
    ['a path without its slash', { ...good, path: 'runner' }, /path/],
    ['a path that ends with one', { ...good, path: '/runner/' }, /path/],
    ['a module elsewhere', { ...good, module: '../runners' }, /module/],
    ['a life over the cap', { ...good, limits: { lifeSeconds: 901 } }, /lifeSeconds/],
    ['a life that is no number', { ...good, limits: { lifeSeconds: Number.NaN } }, /lifeSeconds/],
    ['no limit at all', { ...good, limits: { pairings: Number.POSITIVE_INFINITY } }, /pairings/],
    ['a step-up of no time', { ...good, stepUpSeconds: 5 }, /stepUpSeconds/],
  ]
  it.each(bad)('refuses %s', (_what, options, named) => {
    expect(() => auth.runnerRoute(options as never)).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringMatching(named) }),
    )
  })

  it('refuses a schema without its tables, and tenants of them', () => {
    const schema = defineSchema(authTables)
    const without = defineAuth({ schema, tenants: {}, roles, identities })
    expect(() => without.runnerRoute(good)).toThrow(/runnerTables/)
    const tenants = { authRunners: { index: 'by_name', field: 'organization' } } as const
    const all = defineSchema({ ...authTables, ...runnerTables })
    expect(() => defineAuth({ schema: all, tenants, roles, identities })).toThrow(/out of reach/)
  })

  it('refuses an action for a scope that no runner is given', () => {
    const { action } = auth.runnerRoute(good)
    expect(() => action({ scopes: ['runner:end'], handler: () => new Response() })).toThrow(/runner:end/)
  })

  it.each([29, 3_651, 30.5])('refuses to keep audit rows for %s days', (auditDays) => {
    const schema = defineSchema({ ...authTables, rows: defineTable({ a: v.string() }) })
    expect(() => defineAuth({ schema, tenants: {}, roles, identities, retention: { auditDays } })).toThrow(/auditDays/)
  })

  it('says on each function what it asks', () => {
    const { functions } = auth.runnerRoute({ ...good, stepUpSeconds: 300 })
    expect(readCard(functions.approve)).toEqual({ caller: 'org', permission: 'runner:pair', stepUpSeconds: 300 })
    expect(readCard(functions.revoke)).toEqual({ caller: 'org', permission: 'runner:end' })
    expect(readCard(functions.list)).toEqual({ caller: 'org', workspace: 'workspace' })
    expect(readCard(runners.functions.step)).toBeUndefined()
  })

  it('fails where the deployment does not say where it is', async () => {
    const nowhere = { cloudUrl: undefined, siteUrl: undefined, verificationUrl: 'https://c' }
    const { endpoints } = auth.runnerRoute({ ...good, deployment: () => nowhere })
    const run: unknown = Reflect.get(endpoints, '_handler')
    const request = new Request('https://b/runner/token', { method: 'POST' })
    const asked = async (): Promise<unknown> =>
      (run as (...args: unknown[]) => unknown)({ runMutation: () => {} }, request)
    await expect(asked()).rejects.toMatchObject({ code: 'bad_option' })
  })
})

it('hands a runner on with a principal, and never its person alone', () => {
  const runner = { id: 'runner_1', epoch: 1, scopes: ['run:start'] }
  const principal = { organization: 'org_a', user: 'ada', permissions: new Set<string>(), runner }
  expect(explicitPrincipal(principal)).toEqual({ organization: 'org_a', user: 'ada', runner })
})

/** Compiled only: what a route for runners cannot call. */
export function neverCalled(
  ctx: RunnerAction,
  open: FunctionReference<'mutation', 'internal', { id: string }, null>,
): void {
  // @ts-expect-error a public function takes its caller from an identity, which a runner has not
  void ctx.runMutation(api.runners.revoke, { runner: 'runner_1' })
  // @ts-expect-error a function that is told no principal is not held to a tenant
  void ctx.runMutation(open, { id: 'x' })
  // @ts-expect-error the principal is filled in, and cannot be another
  void ctx.runQuery(internal.jobs.all, { principal: { organization: 'org_b', system: 'me' } })
}
