import type { Exchange } from './exchange.ts'

const preflightSeconds = '600'

/** Lets the page of a listed origin read the answer, whatever it will be. Nothing is reflected that is not on the client's list. */
export async function allowOriginOf(exchange: Exchange, clientId: string | undefined): Promise<void> {
  const { origin } = exchange.request.headers
  if (origin === undefined) return
  exchange.headers.push('Vary', 'Origin')
  if (clientId === undefined || !(await exchange.face.issuer.clientAllowsOrigin(clientId, origin))) return
  exchange.headers.push('Access-Control-Allow-Origin', origin, 'Access-Control-Allow-Credentials', 'true')
  exchange.headers.push('Access-Control-Expose-Headers', 'Retry-After')
}

/** OPTIONS. A preflight names no client: it is answered for every origin that some client lists. */
export async function answerPreflight(
  exchange: Exchange,
  { allow, cors }: { readonly allow: string; readonly cors: boolean },
): Promise<void> {
  const { request, response, headers, face } = exchange
  const { origin } = request.headers
  headers.push('Allow', allow, 'Vary', 'Origin', 'Cache-Control', 'no-store', 'Content-Length', '0')
  if (cors && origin !== undefined && (await face.issuer.knowsOrigin(origin))) {
    headers.push('Access-Control-Allow-Origin', origin, 'Access-Control-Allow-Credentials', 'true')
    headers.push('Access-Control-Allow-Methods', allow, 'Access-Control-Allow-Headers', 'authorization, content-type')
    headers.push('Access-Control-Max-Age', preflightSeconds)
  }
  response.writeHead(204, headers)
  response.end()
}
