// Pages of one application: people signed in at a stand-in of Clerk, each with the real `ConvexClient` on a stand-in of
// Convex, kept signed in by `keepAuthenticated`, and asking for tokens over HTTP as a page does.

import { clerkProvider } from '@countersign/clerk-convex/auth-config'
import { keepAuthenticated } from '@countersign/clerk-convex/client'
import { authTables, defineAuth } from '@countersign/clerk-convex/convex'
import { convexLoopback, fakeClerk } from '@countersign/clerk-convex/testing'
import { ConvexClient } from 'convex/browser'
import { defineSchema, defineTable, makeFunctionReference } from 'convex/server'
import { v } from 'convex/values'
import { convexTest } from 'convex-test'

/** @type {import('convex/server').FunctionReference<'query', 'public', {}, { name: string }[]>} */
const list = makeFunctionReference('runs:list')
/** @type {import('convex/server').FunctionReference<'mutation', 'public', { name: string }>} */
const start = makeFunctionReference('runs:start')

/**
 * @typedef {object} Page
 * @property {string} name
 * @property {ConvexClient} client
 * @property {string} session of Clerk
 * @property {readonly string[] | undefined} shown the names in the live query; undefined when it was refused
 */
/** @typedef {Page & { kept: import('@countersign/clerk-convex/client').KeptAuth }} KeptPage */

/**
 * @param {object} options
 * @param {number} options.pages each of another person, all of one organisation
 * @param {number} [options.plain] pages beside them that fetch tokens as Convex's own provider for Clerk does
 * @param {number} [options.tokenLifeSeconds] Clerk's default is a minute
 */
export async function startPages({ pages: count, plain: plainCount = 0, tokenLifeSeconds = 60 }) {
  const clerk = await fakeClerk({ tokenLifeSeconds })
  const { world } = clerk
  const organization = world.addOrganization({ name: 'Acme' })
  const schema = defineSchema({
    ...authTables,
    runs: defineTable({ orgId: v.string(), name: v.string() }).index('by_org', ['orgId']),
  })
  const auth = defineAuth({
    schema,
    tenants: { runs: { index: 'by_org', field: 'orgId' } },
    roles: { admin: ['run:start'] },
    identities: { clerkIssuer: clerk.issuer },
    onEvent() {},
  })
  const functions = {
    list: auth.orgQuery({ args: {}, handler: (ctx) => ctx.db.query('runs').collect() }),
    start: auth.orgMutation({
      args: { name: v.string() },
      permission: 'run:start',
      audit: 'run.start',
      handler: (ctx, { name }) => ctx.db.insert('runs', { name }),
    }),
  }
  const modules = {
    './convex/_generated/api.js': async () => ({}),
    './convex/auth.js': async () => ({ ...auth.functions }),
    './convex/runs.js': async () => functions,
  }
  const t = convexTest({ schema, modules })
  const loopback = await convexLoopback(t, {
    auth: { providers: [clerkProvider({ issuer: clerk.issuer, jwks: clerk.jwks })] },
    modules,
  })

  /** @param {string} name */
  const open = async (name) => {
    const email = `${name}@example.com`
    const user = world.addUser({ email })
    world.setMembership({ organization, user, role: 'org:admin' })
    await t.run((ctx) =>
      ctx.db.insert('authMemberships', {
        organization: organization.id,
        user: user.id,
        role: 'admin',
        state: 'active',
        changedAt: 1,
      }),
    )
    const session = await signIn(clerk.issuer, email)
    const client = new ConvexClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    /** @type {Page} */
    const page = { name, client, session: session.id, shown: [] }
    client.onUpdate(
      list,
      {},
      (rows) => {
        page.shown = rows.map((row) => row.name)
      },
      () => {
        page.shown = undefined
      },
    )
    return { page, session, user }
  }

  /** @type {KeptPage[]} */
  const pages = []
  for (let index = 0; index < count; index += 1) {
    const { page, session, user } = await open(`page-${index}`)
    const kept = keepAuthenticated(page.client, {
      source: {
        current: () => ({ isLoaded: true, sessionId: session.id, userId: user.id, orgId: organization.id }),
        subscribe: () => () => {},
        getToken: ({ signal }) => session.token(signal),
      },
    })
    pages.push(Object.assign(page, { kept }))
  }
  /** @type {Page[]} */
  const plain = []
  for (let index = 0; index < plainCount; index += 1) {
    const { page, session } = await open(`plain-${index}`)
    page.client.setAuth(() => session.token().catch(() => null))
    plain.push(page)
  }

  return {
    clerk,
    pages,
    plain,
    /** A run that no page started, such as a job's. @param {string} name */
    add: (name) => t.run((ctx) => ctx.db.insert('runs', { orgId: organization.id, name })),
    /** @returns {Promise<string[]>} the names of all runs that there are */
    names: async () => (await t.run((ctx) => ctx.db.query('runs').collect())).map(({ name }) => name),
    /** @param {KeptPage} page @param {string} name */
    call: (page, name) => page.kept.mutation(start, { name }),
    async end() {
      for (const { kept } of pages) kept.close()
      for (const { client } of [...pages, ...plain]) await client.close()
      await loopback.close()
      await clerk.close()
    },
  }
}

/** As a browser does, with a cookie. @param {string} issuer @param {string} identifier */
async function signIn(issuer, identifier) {
  const post = (
    /** @type {string} */ path,
    cookie = '',
    body = {},
    /** @type {AbortSignal | undefined} */ signal = undefined,
  ) =>
    fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: { cookie, origin: 'http://127.0.0.1', 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    })
  const response = await post('/v1/client/sign_ins', '', { identifier })
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  /** @type {any} */
  const signedIn = await response.json()
  const id = String(signedIn.response.created_session_id)
  return {
    id,
    /** @param {AbortSignal} [signal] @returns {Promise<string>} */
    async token(signal) {
      const answer = await post(`/v1/client/sessions/${id}/tokens/convex`, cookie, {}, signal)
      /** @type {any} */
      const body = await answer.json()
      if (!answer.ok)
        throw Object.assign(new Error(`Clerk answered ${answer.status}`), { status: answer.status, ...body })
      return body.response.jwt
    },
  }
}

/** @param {() => boolean} isSo @param {number} mostMs @param {string} what */
export async function until(isSo, mostMs, what) {
  const from = performance.now()
  while (!isSo()) {
    if (performance.now() - from > mostMs) throw new Error(`${what} after ${mostMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
