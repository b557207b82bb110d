import type { PublishedJwks } from '@countersign/keys'
import { issuerErrorCodes, remedies } from '../errors.ts'
import { answer, type Exchange, type Handler, send } from './exchange.ts'

/** RFC 8414 section 3; the same document where OpenID verifiers look for it. */
export const metadataRoute: Handler = async (exchange) => {
  exchange.headers.push('Access-Control-Allow-Origin', '*')
  const body = JSON.stringify(exchange.face.issuer.metadata())
  send(exchange, 200, body, 'application/json', 'public, max-age=300')
}

/** The JWKS with the ring's own cache headers. */
export const jwksRoute: Handler = async (exchange) => sendJwks(exchange, exchange.face.issuer.jwks())

export function sendJwks({ request, response, headers }: Exchange, jwks: PublishedJwks): void {
  const own = Object.entries(jwks.headers).flat()
  if (isNotModified(request.headers['if-none-match'], jwks.etag)) {
    response.writeHead(304, [...own.filter((_, index) => own[index - (index % 2)] !== 'Content-Type'), ...headers])
    response.end()
    return
  }
  const length = String(Buffer.byteLength(jwks.body))
  response.writeHead(200, [...own, 'Content-Length', length, 'X-Content-Type-Options', 'nosniff', ...headers])
  response.end(jwks.body)
}

/** RFC 9110 section 13.1.2: the weak comparison. */
export function isNotModified(asked: string | undefined, etag: string): boolean {
  if (asked === undefined) return false
  if (asked.trim() === '*') return true
  return asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}

export const healthRoute: Handler = async (exchange) => {
  answer(exchange, 200, { status: 'ok' })
}

const rows = issuerErrorCodes.map((code) => `<h2 id="${code}"><code>${code}</code></h2>\n<p>${remedies[code]}</p>`)
const errorsPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Errors of the token service</title></head>
<body><h1>Errors of the token service</h1>
${rows.join('\n')}
</body></html>
`

/** Where `error_uri` leads when no documentation site is configured. */
export const errorsRoute: Handler = async (exchange) => {
  exchange.headers.push('Content-Security-Policy', "default-src 'none'")
  send(exchange, 200, errorsPage, 'text/html; charset=utf-8', 'public, max-age=3600')
}
