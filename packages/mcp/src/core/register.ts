import { makeCall, type Ticket } from './caller.ts'
import type { Core } from './core.ts'
import type { Lists } from './lists.ts'
import type { Entry } from './registry.ts'
import { resourceList } from './resource-list.ts'

type Listing = 'tools/list' | 'prompts/list' | 'resources/list' | 'resources/templates/list'

/** What the SDKs' servers have in common, and what they do each in its own way. */
export interface Sdk<Server, Context> {
  readonly server: (server: Server) => {
    registerTool(name: string, config: never, handler: never): unknown
    registerPrompt(name: string, config: never, handler: never): unknown
    registerResource(name: string, uriOrTemplate: never, config: never, read: never): unknown
  }
  readonly template: (uriTemplate: string, complete: unknown) => unknown
  readonly signalOf: (context: Context) => AbortSignal
  /** What a handler's caller reads who got past the door and may not after all. */
  readonly notAllowed: () => Error
  readonly setList: (server: Server, method: Listing, list: (context: Context) => Promise<object>) => void
}

/** One server, and whom it serves. */
export interface Fitting<Server, Context> {
  readonly sdk: Sdk<Server, Context>
  readonly server: Server
  readonly core: Core
  readonly ticketOf: (context: Context) => Ticket
  /** What every result of a list has beside it, and every resource that is not public. */
  readonly listHint: object
  readonly readHint: object
}

type Run<Context> = (args: readonly unknown[], context: Context) => unknown

/** Puts the entries on a bare server. */
export function register<Server, Context>(fitting: Fitting<Server, Context>, entries: readonly Entry[]): void {
  for (const entry of entries) registerOne(fitting, entry)
}

/** The handler as it was declared: behind its access once more, and with the call for its last argument. */
function guarded<Server, Context>({ sdk, core, ticketOf }: Fitting<Server, Context>, entry: Entry): Run<Context> {
  const handler = entry.handler as (...args: readonly unknown[]) => unknown
  return (args, context) => {
    const ticket = ticketOf(context)
    if (!core.door.mayUse(ticket.caller, entry)) throw sdk.notAllowed()
    const result = handler(...args, makeCall(ticket, context, sdk.signalOf(context)))
    if (result instanceof Promise) ticket.whileRunning?.(result)
    return result
  }
}

function registerOne<Server, Context>(fitting: Fitting<Server, Context>, entry: Entry): void {
  const { sdk, readHint } = fitting
  const { name, kind, access, declared } = entry
  const server = sdk.server(fitting.server)
  const run = guarded(fitting, entry)
  if (kind === 'tool')
    return void server.registerTool(name, declared as never, taking(run, declared.inputSchema) as never)
  if (kind === 'prompt')
    return void server.registerPrompt(name, declared as never, taking(run, declared.argsSchema) as never)
  const { name: title, list, complete, ...config } = declared
  // What is not public stays out of shared caches, whatever the server's own hints say.
  const hint = access === 'public' ? {} : readHint
  // A template's resources are listed by us, filtered; the SDK asks nobody.
  const place = kind === 'resource' ? name : sdk.template(name, complete)
  const read = async (...args: readonly unknown[]) => {
    const result = (await run(args.slice(0, -1), args.at(-1) as Context)) as object
    return 'contents' in result ? { ...result, ...hint } : result
  }
  server.registerResource(String(title), place as never, config as never, read as never)
}

/** The SDKs call a handler with arguments only where there is a schema for them. */
function taking<Context>(run: Run<Context>, schema: unknown) {
  return schema === undefined
    ? (context: Context) => run([undefined], context)
    : (args: unknown, context: Context) => run([args], context)
}

/** Lists of what the caller may use, in place of the SDK's. */
export function filterLists<Server, Context>(
  { sdk, server, core, ticketOf, listHint }: Fitting<Server, Context>,
  lists: Lists,
  capabilities: { readonly tools?: unknown; readonly prompts?: unknown; readonly resources?: unknown },
): void {
  const { tools, prompts, resources } = capabilities
  if (tools !== undefined) {
    sdk.setList(server, 'tools/list', async (context) => ({
      tools: lists.list('tool', ticketOf(context).caller),
      ...listHint,
    }))
  }
  if (prompts !== undefined) {
    sdk.setList(server, 'prompts/list', async (context) => ({
      prompts: lists.list('prompt', ticketOf(context).caller),
      ...listHint,
    }))
  }
  if (resources === undefined) return
  sdk.setList(server, 'resources/list', async (context) => {
    const ticket = ticketOf(context)
    const call = makeCall(ticket, context, sdk.signalOf(context))
    return { resources: await resourceList(core, lists, ticket.caller, call), ...listHint }
  })
  sdk.setList(server, 'resources/templates/list', async (context) => ({
    resourceTemplates: lists.list('resource-template', ticketOf(context).caller),
    ...listHint,
  }))
}
