import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** What somebody did that an older copy of the store does not know of, and that must not be forgotten with it. */
const lasting = [
  'key.revoke',
  'user.disable',
  'client.disable',
  'user.set_password',
  'user.set_scopes',
  'client.rotate_secret',
  'client.rotate_key',
  'user.add',
  'client.add',
] as const

export interface LastingChange {
  readonly action: (typeof lasting)[number]
  /** Of the key, user or client. */
  readonly id: string
  /** The ring of a key, where the record says it. */
  readonly ring: string | undefined
  /** Unix seconds. */
  readonly at: number
}

/**
 * The lasting changes that an audit log tells of, in its order, once each.
 * @returns undefined when there is no such file
 */
export async function lastingChangesSince(
  auditFile: string,
  since: number,
): Promise<readonly LastingChange[] | undefined> {
  const changes = new Map<string, LastingChange>()
  try {
    const lines = createInterface({ input: createReadStream(auditFile), crlfDelay: Number.POSITIVE_INFINITY })
    for await (const line of lines) {
      const change = readChange(line)
      if (change === undefined || change.at < since) continue
      changes.set(`${change.action} ${change.id}`, change)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return [...changes.values()]
}

/** A line that ended in the middle, as after a full disk, tells nothing. */
function readChange(line: string): LastingChange | undefined {
  const action = lasting.find((name) => line.includes(`"action":"${name}"`))
  if (action === undefined) return undefined
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch {
    return undefined
  }
  if (!isObject(record) || record.action !== action || record.outcome !== 'allowed') return undefined
  const { target, ts, details } = record
  if (!isObject(target) || typeof target.id !== 'string' || typeof ts !== 'number') return undefined
  const ring = isObject(details) && typeof details.ring === 'string' ? details.ring : undefined
  return { action, id: target.id, ring, at: ts }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
