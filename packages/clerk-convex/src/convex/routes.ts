import {
  type GenericActionCtx,
  type GenericDataModel,
  httpActionGeneric,
  makeFunctionReference,
  type PublicHttpAction,
} from 'convex/server'
import type { WebhookLedger } from '../server/webhook-ledger.ts'
import { clerkWebhooks } from '../server/webhooks.ts'
import { type Change, readChange } from './changes.ts'
import type { Setting } from './options.ts'

/** What `userRoute` answers. */
export interface CurrentUser {
  readonly user: string
  /** `legacy`: of another issuer, by a row of `authIdentities`. */
  readonly provider: 'clerk' | 'legacy'
  /** The organisation that the session has chosen, if the user is a member of it. */
  readonly organization?: string
  readonly role?: string
  readonly permissions: readonly string[]
  readonly organizations: readonly {
    readonly organization: string
    readonly role: string
    readonly name?: string
    readonly slug?: string
  }[]
}

export interface RouteOptions {
  /** Origins of pages that may ask, exactly as browsers send them. @default none: the same origin only */
  readonly origins?: readonly string[]
}

export interface StatusRouteOptions extends RouteOptions {
  /** How far the cut-over from another issuer is. @default 'sealed': Clerk alone */
  readonly phase?: () => string
}

export interface WebhookRouteOptions {
  /** `whsec_…` of the endpoint, read when a delivery comes; several while one replaces the other. */
  readonly signingSecrets: () => readonly string[]
  /** `ins_…`: events of another instance are refused, were they signed with a secret of this endpoint. @default any */
  readonly instance?: () => string
}

type HttpContext = GenericActionCtx<GenericDataModel>

/** Never a 401: a page asks it to learn whether anybody is signed in. */
export function statusRoute(
  setting: Setting,
  { origins = [], phase = () => 'sealed' }: StatusRouteOptions,
): PublicHttpAction {
  return httpActionGeneric(async (ctx, request) =>
    answer(request, origins, async () => {
      const current = await whoCalls(ctx, request, setting, 'status')
      if (current === null) return { status: 200, body: { state: 'signed-out', phase: phase() } }
      const { user, provider, organization: org, role } = current
      return {
        status: 200,
        body: {
          state: 'signed-in',
          provider,
          subject: user,
          ...(org === undefined ? {} : { org }),
          ...(role === undefined ? {} : { role }),
          ...expiry(request),
          phase: phase(),
        },
      }
    }),
  )
}

export function userRoute(setting: Setting, { origins = [] }: RouteOptions): PublicHttpAction {
  return httpActionGeneric(async (ctx, request) =>
    answer(request, origins, async () => {
      const current = await whoCalls(ctx, request, setting, 'user')
      return current === null ? { status: 401, body: { error: 'signed_out' } } : { status: 200, body: current }
    }),
  )
}

/** Verified here; whether it was seen before, and whether it is late, is decided in the transaction that applies it. */
export function webhookRoute(setting: Setting, { signingSecrets, instance }: WebhookRouteOptions): PublicHttpAction {
  const receive = makeFunctionReference<'mutation', { svixId: string; change: Change }>(
    `${setting.module}:receiveWebhook`,
  )
  const ledger: WebhookLedger = { begin: async () => 'new', forget: async () => {} }
  return httpActionGeneric(async (ctx, request) => {
    const webhooks = clerkWebhooks({
      signingSecrets: signingSecrets(),
      ledger,
      ...(instance === undefined ? {} : { instance: instance() }),
    })
    const response = await webhooks.respond(request, async (event) => {
      const happenedAt: unknown = Reflect.get(event, 'timestamp')
      const change = readChange(event.type, { ...event.data }, typeof happenedAt === 'number' ? happenedAt : 0)
      const svixId = request.headers.get('svix-id')?.trim() ?? ''
      if (change !== undefined) await ctx.runMutation(receive, { svixId, change })
    })
    if (response.status === 400) setting.emit({ type: 'token_refused', route: 'webhook' })
    return response
  })
}

async function whoCalls(
  ctx: Pick<HttpContext, 'auth' | 'runQuery'>,
  request: Request,
  setting: Setting,
  route: string,
): Promise<CurrentUser | null> {
  const whoAmI = makeFunctionReference<'query', Record<string, never>, CurrentUser | null>(`${setting.module}:whoAmI`)
  // Convex throws in HTTP actions for a token that it refuses, and for none.
  const identity = await ctx.auth.getUserIdentity().catch(() => null)
  if (identity !== null) return ctx.runQuery(whoAmI, {})
  if (request.headers.has('authorization')) setting.emit({ type: 'token_refused', route })
  return null
}

/** When the token ends, which Convex has verified to know who calls. */
function expiry({ headers }: Request): { readonly expires_at?: number } {
  const part = headers.get('authorization')?.split('.')[1] ?? ''
  try {
    const { exp } = JSON.parse(atob(part.replaceAll('-', '+').replaceAll('_', '/')))
    return typeof exp === 'number' ? { expires_at: exp } : {}
  } catch {
    return {}
  }
}

async function answer(
  request: Request,
  origins: readonly string[],
  ask: () => Promise<{ readonly status: number; readonly body: object }>,
): Promise<Response> {
  const origin = request.headers.get('origin')
  const headers = new Headers({ 'Cache-Control': 'no-store', Vary: 'Origin, Authorization' })
  if (origin !== null && origins.includes(origin)) {
    headers.set('Access-Control-Allow-Origin', origin)
    headers.set('Access-Control-Allow-Headers', 'Authorization')
    headers.set('Access-Control-Max-Age', '600')
  }
  if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers })
  const { status, body } = await ask()
  headers.set('Content-Type', 'application/json')
  return new Response(JSON.stringify(body), { status, headers })
}
