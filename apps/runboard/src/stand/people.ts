import { unwrap } from '@countersign/clerk-convex'
import type { FakeClerk } from '@countersign/clerk-convex/testing'
import { ConvexHttpClient } from 'convex/browser'
import { makeFunctionReference } from 'convex/server'

/** People and organisations to begin with, made at Clerk and by the app's own functions: nothing is written past them. */
export async function addPeople(clerk: FakeClerk, convexUrl: string): Promise<void> {
  const { world } = clerk
  const [ada, mia, bob] = ['ada', 'mia', 'bob'].map((name) =>
    world.addUser({ email: `${name}@example.com`, firstName: name.replace(/^./, (first) => first.toUpperCase()) }),
  )
  const [acme, globex] = ['Acme', 'Globex'].map((name) => world.addOrganization({ name }))
  if (!ada || !mia || !bob || !acme || !globex) throw new Error('There is nobody.')
  world.setMembership({ organization: acme, user: ada, role: 'org:admin' })
  world.setMembership({ organization: acme, user: mia, role: 'org:member' })
  world.setMembership({ organization: globex, user: bob, role: 'org:admin' })
  world.setMembership({ organization: globex, user: ada, role: 'org:member' })
  await clerk.delivered()

  for (const [user, organization, workspaces] of [
    [ada, acme, ['Website', 'Payments']],
    [bob, globex, ['Research']],
  ] as const) {
    const session = world.addSession(user.id, organization.id)
    const client = new ConvexHttpClient(convexUrl, { skipConvexDeploymentUrlCheck: true, logger: false })
    client.setAuth(clerk.token(session.id))
    const call = (name: string, args: Record<string, string | boolean>): Promise<string> =>
      unwrap(client.mutation(makeFunctionReference<'mutation'>(name), args))
    for (const name of workspaces) {
      const isPrivate = name === 'Payments'
      const workspaceId = await call('workspaces:create', { name, isPrivate })
      const connect = { workspaceId, name: `${name.toLowerCase()}-app`, isProtected: false }
      const repository = await call('repositories:connect', connect)
      await call('repositories:connect', { ...connect, name: 'production', isProtected: true })
      await call('runs:start', { workspaceId, repository, task: `test ${name.toLowerCase()}` })
    }
    world.endSession(session.id, 'ended')
  }
  await clerk.delivered()
}
