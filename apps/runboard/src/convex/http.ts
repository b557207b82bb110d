import type { RunnerAction } from '@countersign/clerk-convex/convex'
import { httpRouter } from 'convex/server'
import { z } from 'zod'
import { environment } from '../environment.ts'
import { internal } from './_generated/api.js'
import type { Id } from './_generated/dataModel.js'
import { auth } from './auth.ts'
import { runners } from './runners.ts'

const page = { origins: [environment.pageOrigin] }
const http = httpRouter()

for (const method of ['GET', 'OPTIONS'] as const) {
  http.route({ path: '/auth/status', method, handler: auth.statusRoute(page) })
  http.route({ path: '/auth/user', method, handler: auth.userRoute(page) })
}
http.route({
  path: '/auth/webhook',
  method: 'POST',
  handler: auth.webhookRoute({ signingSecrets: () => environment.clerkWebhookSecrets }),
})

http.route({ pathPrefix: '/runner/', method: 'POST', handler: runners.endpoints })

// Convex's own validators say whether it is an id of a run.
const id = z.string().transform((text) => text as Id<'runs'>)
const lines = z.array(z.string()).max(100)
const from = z.number().int().min(0)

http.route({
  path: '/jobs/whoami',
  method: 'POST',
  handler: runners.action({
    scopes: [],
    handler: (_ctx, { runner: { name }, organization, workspace, scopes }) =>
      Response.json({ name, organization, workspace, scopes: [...scopes] }),
  }),
})

job('/jobs/take', z.object({}), async ({ runQuery, runMutation }) => {
  const waiting = await runQuery(internal.jobs.next, {})
  return waiting === null ? null : runMutation(internal.jobs.take, { id: waiting })
})
job('/jobs/report', z.object({ id, from, lines }), async ({ runMutation }, said) => ({
  goOn: await runMutation(internal.jobs.report, said),
}))
job('/jobs/finish', z.object({ id, succeeded: z.boolean() }), async ({ runMutation }, said) => ({
  isTaken: await runMutation(internal.jobs.finish, said),
}))

/** A route for runners: JSON to JSON. */
function job<Body>(
  path: string,
  body: z.ZodType<Body>,
  answer: (ctx: RunnerAction, body: Body) => Promise<object | null>,
): void {
  const handler = runners.action({
    scopes: ['run:execute'],
    handler: async (ctx, _principal, request) => {
      const { data } = body.safeParse(await request.json().catch(() => undefined))
      if (data === undefined) return Response.json({ error: 'invalid_request' }, { status: 400 })
      return Response.json(await answer(ctx, data))
    },
  })
  http.route({ path, method: 'POST', handler })
}

export default http
