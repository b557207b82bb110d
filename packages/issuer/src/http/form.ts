import type { IncomingMessage } from 'node:http'
import { refusal } from '../refusals.ts'
import { hasType, readBody } from './body.ts'

const maxParameters = 32

export type Form = ReadonlyMap<string, string>

/**
 * A form body as RFC 6749 section 3.2 wants it: each parameter at most once, an empty one as if it were not there.
 * @throws IssuerError `invalid_request`
 */
export async function readForm(request: IncomingMessage): Promise<Form> {
  if (!hasType(request, 'application/x-www-form-urlencoded')) throw refusal('content_type')
  return parseForm((await readBody(request)).toString('latin1'))
}

/** @throws IssuerError `invalid_request` */
export function parseForm(text: string): Form {
  if (text !== '' && !printable.test(text)) throw refusal('body_malformed')
  const form = new Map<string, string>()
  const seen = new Set<string>()
  let at = 0
  while (at < text.length) {
    let end = text.indexOf('&', at)
    if (end < 0) end = text.length
    if (end > at) {
      if (seen.size >= maxParameters) throw refusal('too_many_parameters')
      const equals = text.indexOf('=', at)
      const split = equals < 0 || equals > end ? end : equals
      const name = decode(text.slice(at, split))
      if (seen.has(name)) throw refusal('parameter_repeated')
      seen.add(name)
      const value = split === end ? '' : decode(text.slice(split + 1, end))
      if (value !== '') form.set(name, value)
    }
    at = end + 1
  }
  return form
}

const printable = /^[\x21-\x7e]+$/

/** Form-URL-decodes strictly. @throws IssuerError `invalid_request` on what is no percent-encoded UTF-8 */
export function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text)
  } catch {
    throw refusal('body_malformed')
  }
}
