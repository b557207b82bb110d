import type { IncomingMessage } from 'node:http'
import { refusal } from '../refusals.ts'
import { readBody } from './body.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws IssuerError `invalid_request` */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request)
  if (body.length === 0) return undefined
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    throw refusal('body_malformed')
  }
}
