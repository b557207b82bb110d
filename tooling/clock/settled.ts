import { channel } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'

let underWay = 0
const begin = (): void => {
  underWay += 1
}
const end = (): void => {
  underWay -= 1
}

/** Requests that this process sends, by `node:http` and by `fetch`, until their answers are there to the last byte. */
channel('http.client.request.start').subscribe((message) => {
  begin()
  ;(message as { readonly request: ClientRequest }).request.once('close', end)
})
const fetched = new WeakSet<object>()
channel('undici:request:create').subscribe((message) => {
  begin()
  fetched.add((message as { readonly request: object }).request)
})
for (const name of ['undici:request:trailers', 'undici:request:error']) {
  channel(name).subscribe((message) => {
    if (fetched.delete((message as { readonly request: object }).request)) end()
  })
}

/** What WebCrypto has under way: its threads answer when they please, also under load. */
const { prototype } = SubtleCrypto
for (const name of ['digest', 'sign', 'verify', 'importKey', 'generateKey'] as const) {
  const own: (...args: never[]) => Promise<unknown> = prototype[name]
  Object.assign(prototype, {
    [name](this: SubtleCrypto, ...args: never[]) {
      begin()
      return own.apply(this, args).finally(end)
    },
  })
}

/** Turns with nothing under way after which nothing more comes of what was begun. */
const quietTurns = 8

/** A request that only a test's clock would end is a fault of the test. */
const longestMs = 60_000

/**
 * Once nothing is under way that this process has asked for, and what the answers bring about has had its turn. It
 * counts from the first import on. A request that waits for a time-out of a test's clock is under way until then.
 *
 * @param mostMs in real milliseconds. @default 60,000
 * @throws Error when something is under way for longer
 */
export async function settled(mostMs: number = longestMs): Promise<void> {
  const lastMs = performance.now() + mostMs
  for (let quiet = 0; quiet < quietTurns; quiet += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    if (underWay === 0) continue
    quiet = -1
    if (performance.now() > lastMs) throw new Error(`${underWay} answers are still awaited after ${mostMs} ms.`)
  }
}
