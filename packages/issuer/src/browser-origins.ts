import type { Context } from './context.ts'

const keptMs = 1_000
const pageSize = 500
const mostClients = 10_000

/**
 * A CORS preflight does not say which client it is for, so it is answered for the origins of all of them. It opens
 * nothing: the request that follows is held to its own client's list. Read at most once a second.
 */
export function createBrowserOrigins(context: Context): (origin: string) => Promise<boolean> {
  let readAtMs = Number.NEGATIVE_INFINITY
  let origins: Promise<ReadonlySet<string>> | undefined
  return async (origin) => {
    const nowMs = context.clock.monotonicMs()
    if (origins === undefined || nowMs - readAtMs > keptMs) {
      readAtMs = nowMs
      origins = readAll(context)
      origins.catch(() => {
        origins = undefined
      })
    }
    return (await origins).has(origin)
  }
}

async function readAll(context: Context): Promise<ReadonlySet<string>> {
  const all = new Set<string>()
  let after: string | undefined
  for (let seen = 0; seen < mostClients; seen += pageSize) {
    const page = await context.stores.clients.list(
      after === undefined ? { limit: pageSize } : { after, limit: pageSize },
    )
    for (const client of page) {
      if (client.disabledAt === null) for (const origin of client.origins) all.add(origin)
    }
    after = page.at(-1)?.name
    if (page.length < pageSize) break
  }
  return all
}
