import { httpRouter } from 'convex/server'
import type { GenericId } from 'convex/values'
import { internal } from './_generated/api.ts'
import { runners } from './runners.ts'

const http = httpRouter()
http.route({ pathPrefix: '/runner/', method: 'POST', handler: runners.endpoints })

/** What happens in the middle of `/jobs/ended`. */
let ended = async (_runner: string): Promise<void> => {}
export function whenEnded(what: typeof ended): void {
  ended = what
}

const idOf = (request: Request): GenericId<'jobs'> =>
  (new URL(request.url).searchParams.get('id') ?? '') as GenericId<'jobs'>

const jobs = runners.action({
  scopes: ['job:read'],
  handler: async (ctx) => Response.json(await ctx.runQuery(internal.jobs.all, {})),
})
const take = runners.action({
  scopes: ['job:run'],
  handler: async (ctx, _principal, request) =>
    Response.json(await ctx.runMutation(internal.jobs.take, { id: idOf(request) })),
})
const routes: readonly [path: string, method: 'GET' | 'POST', handler: typeof jobs][] = [
  ['/jobs', 'GET', jobs],
  ['/jobs', 'POST', jobs],
  ['/jobs/take', 'POST', take],
  [
    '/jobs/act',
    'POST',
    runners.action({
      scopes: ['job:run'],
      handler: async (ctx, _principal, request) =>
        Response.json(await ctx.runAction(internal.jobs.takeByAction, { id: idOf(request) })),
    }),
  ],
  [
    '/jobs/ended',
    'POST',
    runners.action({
      scopes: ['job:run'],
      handler: async (ctx, { runner }, request) => {
        const id = idOf(request)
        await ctx.runMutation(internal.jobs.take, { id })
        await ended(runner.id)
        return Response.json(await ctx.runMutation(internal.jobs.take, { id }))
      },
    }),
  ],
  [
    '/jobs/sly',
    'POST',
    runners.action({
      scopes: ['job:read'],
      handler: async (ctx, _principal, request) =>
        Response.json(await ctx.runMutation(internal.jobs.take, { id: idOf(request) })),
    }),
  ],
  [
    '/jobs/forged',
    'GET',
    runners.action({
      scopes: ['job:read'],
      handler: async (ctx) =>
        Response.json(
          await ctx.runQuery(internal.jobs.all, { principal: { organization: 'org_other', system: 'me' } } as never),
        ),
    }),
  ],
  [
    '/jobs/later',
    'POST',
    runners.action({
      scopes: ['job:run'],
      handler: async (ctx, _principal, request) =>
        Response.json(await ctx.runMutation(internal.jobs.finishLater, { id: idOf(request) })),
    }),
  ],
  [
    '/jobs/elsewhere',
    'GET',
    runners.action({
      scopes: ['job:read'],
      handler: async (ctx) => Response.json(await ctx.runQuery(internal.jobs.inWorkspace, { workspaceId: 'ws_2' })),
    }),
  ],
  [
    '/notes',
    'POST',
    runners.action({
      scopes: ['job:run'],
      handler: async (ctx) => Response.json(await ctx.runMutation(internal.jobs.write, { text: 'x' })),
    }),
  ],
  ['/repo', 'POST', runners.action({ scopes: ['job:run', 'repo:push'], handler: () => Response.json('pushed') })],
  [
    '/whoami',
    'GET',
    runners.action({
      scopes: [],
      handler: (ctx, { subject, runner, organization, workspace }) =>
        Response.json({ subject, runner: runner.name, organization, workspace, as: ctx.principal }),
    }),
  ],
  [
    '/broken',
    'GET',
    runners.action({
      scopes: [],
      handler: () => {
        throw new Error('a fault of the job')
      },
    }),
  ],
]
for (const [path, method, handler] of routes) http.route({ path, method, handler })
export default http
