import { readBody } from './body.ts'
import type { Handler } from './exchange.ts'

/** Webhooks carry whole records: Clerk's of a user with all its metadata are some ten KiB. */
const maxEventBytes = 262_144

/** What another issuer tells; whether it is that issuer is for its verifier to say. The answer has no body. */
export function foreignRoute(name: string): Handler {
  return async (exchange) => {
    const { request, face } = exchange
    const body = await readBody(request, maxEventBytes)
    const headers = new Headers()
    for (const [header, value] of Object.entries(request.headers)) {
      for (const one of [value ?? []].flat()) headers.append(header, one)
    }
    // The path that it came to is for nobody to trust; what is signed is the body.
    const url = `${face.issuer.issuer}/`
    const given = new Request(url, { method: 'POST', headers, body: new Uint8Array(body) })
    const { status } = await face.issuer.foreign.receive(name, given)
    exchange.response.writeHead(status, ['Cache-Control', 'no-store', ...exchange.headers])
    exchange.response.end()
  }
}
