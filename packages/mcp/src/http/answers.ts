/** JSON-RPC's codes, and the one that the SDKs use for HTTP's own refusals. */
export const rpcCodes = {
  parseError: -32_700,
  invalidParams: -32_602,
  methodNotFound: -32_601,
  refused: -32_000,
} as const

const json = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }

/** A JSON-RPC error as an answer over HTTP; nothing of the request is in it but the id. */
export function rpcError(
  status: number,
  code: number,
  message: string,
  more: { readonly id?: string | number | undefined; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  const body = { jsonrpc: '2.0', error: { code, message }, id: more.id ?? null }
  return new Response(JSON.stringify(body), { status, headers: { ...json, ...more.headers } })
}

export function jsonAnswer(status: number, headers: Readonly<Record<string, string>>, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...json, ...headers } })
}

/** Seconds that a client may keep a public document. */
const documentAgeSeconds = 300

/** A document for everybody, browser clients of any origin among them. */
export function publicDocument(method: string, document: unknown): Response {
  if (method === 'OPTIONS') {
    const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Methods': 'GET, HEAD' }
    return new Response(null, { status: 204, headers: { ...cors, 'Access-Control-Allow-Headers': '*' } })
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return jsonAnswer(405, { Allow: 'GET, HEAD' }, { error: 'method_not_allowed' })
  }
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': `public, max-age=${documentAgeSeconds}`,
    'Access-Control-Allow-Origin': '*',
  }
  return new Response(method === 'HEAD' ? null : JSON.stringify(document), { status: 200, headers })
}
