import type { IncomingMessage } from 'node:http'
import { refusal } from '../refusals.ts'
import { HttpRefused } from './http-refused.ts'

export const maxBodyBytes = 16_384

/** The peer went away before its request was complete; there is nobody to answer. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone'
}

/** A body parser ran before; a fault of the composition, not of the request. */
export class BodyTaken extends Error {
  override readonly name = 'BodyTaken'
}

/**
 * The request's body, at most 16 KiB unless said otherwise, never decompressed. How long it may take is for the server's `requestTimeout`.
 * @throws HttpRefused 413, 415; PeerGone
 */
export function readBody(request: IncomingMessage, mostBytes: number = maxBodyBytes): Promise<Buffer> {
  const { headers } = request
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new HttpRefused(415, refusal('content_encoding'), { hangUp: true })
  }
  const announced = headers['content-length']
  if (announced !== undefined && Number(announced) > mostBytes) {
    throw new HttpRefused(413, refusal('body_too_large'), { hangUp: true })
  }
  if (request.readableEnded || 'body' in request) {
    throw new BodyTaken('mount the issuer before any body parser: it reads its own, bounded')
  }
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined
    let more: Buffer[] | undefined
    let size = 0
    let settled = false
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > mostBytes) {
        settled = true
        request.pause()
        reject(new HttpRefused(413, refusal('body_too_large'), { hangUp: true }))
        return
      }
      if (first === undefined) {
        first = chunk
      } else {
        more ??= [first]
        more.push(chunk)
      }
    })
    request.on('end', () => {
      settled = true
      resolve(more === undefined ? (first ?? nothing) : Buffer.concat(more, size))
    })
    const gone = (): void => {
      if (!settled) reject(new PeerGone('the request was cut off'))
    }
    request.on('error', gone)
    request.on('close', gone)
  })
}

const nothing = Buffer.alloc(0)

/** True for the type itself, alone or with `charset=utf-8`. */
export function hasType(request: IncomingMessage, type: string): boolean {
  const given = request.headers['content-type']
  if (given === undefined) return false
  if (given === type) return true
  const [essence = '', ...parameters] = given.toLowerCase().split(';')
  return essence.trim() === type && parameters.every((parameter) => /^\s*charset="?utf-8"?\s*$/.test(parameter))
}
