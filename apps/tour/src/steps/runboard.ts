import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAuthError, unwrap } from '@countersign/clerk-convex'
import { fileKeyStore, pairRunner, runnerFetch } from '@countersign/clerk-convex/runner/node'
import { ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'
import type { Fleet } from '../fleet.ts'
import { bearer, get, postJson } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

/** Clerk and Convex are stand-ins on loopback; tokens, clients and functions are real. */
export const runboard: readonly Step<Fleet>[] = [
  {
    name: 'Clerk signs in, Convex knows who',
    async run(fleet) {
      const { siteUrl } = fleet.runboard
      const ada = await signIn(fleet, 'ada')
      fleet.kept.clerkToken = await ada.token()
      const user = await get(`${siteUrl}/auth/user`, bearer(fleet.kept.clerkToken))
      expectThat(user.status === 200 && user.body.role === 'admin', `${user.status} ${JSON.stringify(user.body)}`)
      const nobody = await get(`${siteUrl}/auth/user`)
      expectThat(nobody.status === 401, `without a token ${nobody.status} came back`)
      return `${user.body.role} by the app's own table, not by the token; 401 without one`
    },
  },
  {
    name: 'one organisation is not another',
    async run(fleet) {
      const [ada, bob] = [await signIn(fleet, 'ada'), await signIn(fleet, 'bob')]
      const [mine] = await ada.call('query', 'workspaces:list', {})
      const { workspaceId } = mine
      const seen = await ada.call('query', 'runs:list', { workspaceId })
      expectThat(seen.length > 0, 'there is no run')
      const listed = await refusal(bob.call('query', 'runs:list', { workspaceId }))
      const stopped = await refusal(bob.call('mutation', 'runs:stop', { id: seen[0]._id }))
      expectThat(listed === 'workspace_hidden' && stopped === 'not_found', `${listed}, ${stopped}`)
      return `its workspace: ${listed}; a run of it, by its id: ${stopped}`
    },
  },
  {
    name: 'stopping a run asks who it is',
    async run(fleet) {
      const ada = await signIn(fleet, 'ada')
      const { workspaceId, id } = await startRun(ada)
      await order(fleet, { session: ada.session, provedMinutesAgo: 30 })
      const stale = await refusal(ada.call('mutation', 'runs:stop', { id }))
      expectThat(stale === 'step_up_required', `a proof of half an hour ago got ${stale}`)
      await ada.prove()
      await ada.call('mutation', 'runs:stop', { id })
      const rows: { action: string; outcome: string }[] = await ada.call('query', 'audit:list', {})
      const outcomes = rows.filter(({ action }) => action === 'run.stop').map(({ outcome }) => outcome)
      expectThat(outcomes.includes('denied') && outcomes.includes('allowed'), `the audit says ${outcomes}`)
      const [newest] = await ada.call('query', 'runs:list', { workspaceId })
      expectThat(newest.state === 'stopped', `the run is ${newest.state}`)
      return `${stale}; stopped after a new proof; both rows in the audit`
    },
  },
  {
    name: 'a runner works by its own key',
    async run(fleet) {
      const { siteUrl } = fleet.runboard
      const folder = join(fleet.dataDir, 'runner')
      const keys = fileKeyStore(join(folder, 'key.json'), { onWarning: () => undefined })
      const ada = await signIn(fleet, 'ada')
      const { workspaceId, id } = await startRun(ada)
      let approved: Promise<unknown> = Promise.resolve()
      await pairRunner({
        ...{ url: `${siteUrl}/runner`, keys, name: 'tour', scopes: ['run:execute'] },
        onCode: ({ userCode: code }) => {
          approved = ada.call('mutation', 'runners:approve', { code, workspace: workspaceId })
        },
      })
      await approved
      const sent: Headers[] = []
      const call = runnerFetch({
        ...{ url: `${siteUrl}/runner`, keys },
        fetch: (url, init) => {
          sent.push(new Headers(init.headers))
          return fetch(url, init)
        },
      })
      const took: Answer = await (await call('/jobs/take', { method: 'POST', body: '{}' })).json()
      expectThat(took !== null, 'there was no job')
      const done = JSON.stringify({ id: took.id, succeeded: true })
      await call('/jobs/finish', { method: 'POST', body: done })
      const stolen = sent.at(-1)?.get('authorization')?.split(' ')[1] ?? ''
      const thief = await postJson(`${siteUrl}/jobs/take`, {}, bearer(stolen))
      expectThat(thief.status === 401, `its token alone got ${thief.status}`)
      const files = await readdir(folder)
      expectThat(files.length === 1, `on disk: ${files}`)
      if (took.id !== id) await ada.call('mutation', 'runs:stop', { id })
      return `paired by a code, one run done; its token alone gets ${thief.status}; on disk: ${files}`
    },
  },
  {
    name: 'Clerk is down, Convex goes on',
    async run(fleet) {
      const ada = await signIn(fleet, 'ada')
      await ada.call('query', 'people:me', {})
      await order(fleet, { clerk: 'down' })
      try {
        const me = await ada.call('query', 'people:me', {}, true)
        expectThat(me.role === 'admin', 'nobody is signed in')
        const renewed = await ada.token().then(
          () => true,
          () => false,
        )
        expectThat(!renewed, 'Clerk gave a token')
      } finally {
        await order(fleet, { clerk: 'up' })
      }
      await ada.token()
      return 'the token of before is good until its end; no new one; one again afterwards'
    },
  },
]

// biome-ignore lint/suspicious/noExplicitAny: the tour looks into many different answers and checks what it finds
type Answer = any

interface Person {
  readonly session: string
  token(): Promise<string>
  prove(): Promise<void>
  /** With a token of now; `isHeld`: with the one of the last call. */
  call(kind: 'query' | 'mutation', name: string, args: Record<string, unknown>, isHeld?: boolean): Promise<Answer>
}

/** As a browser is signed in: a cookie at Clerk, and tokens for a minute. */
async function signIn({ runboard: { clerkUrl, convexUrl } }: Fleet, name: string): Promise<Person> {
  const answer = await postJson(`${clerkUrl}/v1/client/sign_ins`, { identifier: `${name}@example.com` })
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
  const session: string = answer.body.response.created_session_id
  const ask = (action: string) => postJson(`${clerkUrl}/v1/client/sessions/${session}/${action}`, {}, { cookie })
  const client = new ConvexHttpClient(convexUrl, { skipConvexDeploymentUrlCheck: true, logger: false })
  const token = async (): Promise<string> => (await ask('tokens')).body.response.jwt
  return {
    session,
    token,
    prove: async () => void (await ask('verify')),
    async call(kind, path, args, isHeld = false) {
      if (!isHeld) client.setAuth(await token())
      if (kind === 'query') return unwrap(client.query(makeFunctionReference<'query'>(path), args))
      return unwrap(client.mutation(makeFunctionReference<'mutation'>(path), args))
    },
  }
}

async function startRun(ada: Person): Promise<{ readonly workspaceId: string; readonly id: string }> {
  const [{ workspaceId }] = await ada.call('query', 'workspaces:list', {})
  const repositories: { _id: string; isProtected: boolean }[] = await ada.call('query', 'repositories:list', {
    workspaceId,
  })
  const repository = repositories.find(({ isProtected }) => !isProtected)?._id
  const id: string = await ada.call('mutation', 'runs:start', { workspaceId, repository, task: 'the tour' })
  return { workspaceId, id }
}

async function order({ addresses }: Fleet, what: object): Promise<void> {
  const { status } = await postJson(`${addresses.runboard}/stand`, what, { origin: addresses.runboard })
  expectThat(status === 204, `the stand answered ${status}`)
}

/** Why a call was denied. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'let in'
  } catch (error) {
    if (isAuthError(error)) return error.reason ?? error.code
    throw error
  }
}
