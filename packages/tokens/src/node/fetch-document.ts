import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import {
  type AddressPolicy,
  type DocumentAnswer,
  type DocumentRequest,
  type FetchDocument,
  problemOf,
} from '../fetch-contract.ts'
import { addressKind } from '../internal/addresses.ts'

class RefusedAddress extends Error {
  override readonly name = 'RefusedAddress'
}

function isAllowed(address: string, policy: AddressPolicy): boolean {
  return policy === 'any' || addressKind(address) === policy
}

/** `dns.lookup` with `all: true`. */
export type ResolveAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Resolves a name and connects to what it checked: a second look-up could answer differently (DNS rebinding). */
export function checkedLookup(policy: AddressPolicy, resolve: ResolveAll = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const first = addresses?.[0]
      if (error !== null || first === undefined) {
        callback(error ?? new Error('The name has no address.'), '', 4)
      } else if (!addresses.every(({ address }) => isAllowed(address, policy))) {
        callback(new RefusedAddress('The name resolves to an address that is not allowed.'), '', 4)
      } else if (options.all === true) {
        callback(null, addresses)
      } else {
        callback(null, first.address, first.family)
      }
    })
  }
}

function readBounded(response: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    response.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > maxBytes) {
        resolve(undefined)
        response.destroy()
      } else parts.push(part)
    })
    response.on('end', () => resolve(Buffer.concat(parts)))
    response.on('error', reject)
    response.on('close', () => reject(new Error('The answer was cut off.')))
  })
}

function respond({ url, signal, addresses, etag }: DocumentRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    const headers = {
      accept: 'application/jwk-set+json, application/json',
      'accept-encoding': 'identity',
      ...(etag !== undefined && { 'if-none-match': etag }),
    }
    // An agent of its own: a pooled socket would have been opened under another policy.
    request(url, { agent: false, headers, signal, lookup: checkedLookup(addresses), maxHeaderSize: 16_384 }, resolve)
      .on('error', reject)
      // An answer that switches protocols is neither an answer nor an error here.
      .on('close', () => reject(new Error('There was no answer.')))
      .end()
  })
}

/** Node's own client, for the one thing that `fetch` cannot do: see the addresses that a name resolves to. */
export const fetchDocument: FetchDocument = async (request): Promise<DocumentAnswer> => {
  try {
    const response = await respond(request)
    const problem = problemOf(response.statusCode ?? 0)
    if (problem !== undefined) {
      response.destroy()
      return problem
    }
    const body = await readBounded(response, request.maxBytes)
    if (body === undefined) return { ok: false, reason: 'too_large' }
    const { 'cache-control': cacheControl, age, etag } = response.headers
    const status = response.statusCode === 304 ? 304 : 200
    return { ok: true, status, text: body.toString('utf8'), cacheControl, age, etag }
  } catch (error) {
    return { ok: false, reason: error instanceof RefusedAddress ? 'refused_address' : 'network' }
  }
}
