import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FromOutside, Issuer } from '../types.ts'
import type { RefreshCookies } from './cookies.ts'
import { peerAddress } from './peer-address.ts'

/** What all routes of one handler share. */
export interface Face {
  readonly issuer: Issuer
  readonly cookies: RefreshCookies
  readonly trustedProxyHops: number
  /** Up to the `#`. */
  readonly errorsUrl: string
}

/** One request and its answer. */
export interface Exchange {
  readonly face: Face
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** After the `?`; undefined if there is none. */
  readonly query: string | undefined
  /** Headers of the answer, success or not: name, value, name, value. */
  readonly headers: string[]
}

export type Handler = (exchange: Exchange) => Promise<void>

/** Where a request comes from, as the core takes it. */
export function whence(exchange: Exchange): Omit<FromOutside, 'client'> {
  const { request, face } = exchange
  const address = peerAddress(request, face.trustedProxyHops)
  const { origin } = request.headers
  const fetchSite = request.headers['sec-fetch-site']
  return {
    ...(address === undefined ? undefined : { address }),
    ...(origin === undefined ? undefined : { origin }),
    ...(typeof fetchSite === 'string' ? { fetchSite } : undefined),
  }
}

/** Answers with JSON that no cache keeps (RFC 6749 section 5.1). */
export function answer(exchange: Exchange, status: number, body: unknown): void {
  send(exchange, status, JSON.stringify(body), 'application/json', 'no-store')
}

export function sendBytes(
  { response, headers }: Exchange,
  status: number,
  bytes: Uint8Array,
  type: string,
  cacheControl: string,
): void {
  const all = ['Content-Type', type, 'Content-Length', String(bytes.length), 'Cache-Control', cacheControl, ...headers]
  response.writeHead(status, [...all, 'X-Content-Type-Options', 'nosniff'])
  response.end(bytes)
}

export function send(exchange: Exchange, status: number, text: string, type: string, cacheControl: string): void {
  const { response, headers } = exchange
  const length = Buffer.byteLength(text)
  const all = ['Content-Type', type, 'Content-Length', String(length), 'Cache-Control', cacheControl, ...headers]
  if (cacheControl === 'no-store') all.push('Pragma', 'no-cache')
  all.push('X-Content-Type-Options', 'nosniff')
  response.writeHead(status, all)
  // Almost always ASCII, and then one cheap write with the header.
  response.end(text, length === text.length ? 'latin1' : 'utf8')
}
