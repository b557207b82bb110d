import type { IncomingMessage } from 'node:http'
import { refusal } from '../refusals.ts'
import { readBody } from './body.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws IssuerError `invalid_request`, also for a member that is there twice (RFC 8259 section 4 leaves open which counts) */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request)
  if (body.length === 0) return undefined
  let text: string
  let value: unknown
  try {
    text = utf8.decode(body)
    value = JSON.parse(text)
  } catch {
    throw refusal('body_malformed')
  }
  if (repeatsMember(text)) throw refusal('parameter_repeated')
  return value
}

const tokens = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g

/** Whether the outermost object of a valid JSON text has two members of one name, however it is spelt. */
function repeatsMember(text: string): boolean {
  const names = new Set<unknown>()
  let depth = 0
  for (const [token, string, colon] of text.matchAll(tokens)) {
    if (string === undefined) {
      depth += token === '{' || token === '[' ? 1 : -1
    } else if (colon !== undefined && depth === 1) {
      const name: unknown = JSON.parse(string)
      if (names.has(name)) return true
      names.add(name)
    }
  }
  return false
}
