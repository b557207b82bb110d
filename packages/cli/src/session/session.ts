import { z } from 'zod'

/** A person's session at one token service, as it is kept on their machine. */
export interface Session {
  readonly issuer: string
  /** Of the client that they signed in through: its name or its id, as it was given. */
  readonly client: string
  /** What they signed in as. */
  readonly identifier: string
  /** Of the access token, unverified: the service that gave it said so over its own connection. */
  readonly subject: string | null
  readonly id: string | null
  readonly audience: string | null
  readonly scope: string | null
  /** Unix seconds, like all instants here. */
  readonly signedInAt: number
  readonly refreshToken: string
  readonly accessToken: string
  readonly accessFrom: number
  readonly accessUntil: number
}

const text = z.string().min(1)
const session = z.object({
  issuer: text,
  client: text,
  identifier: text,
  subject: z.string().nullable(),
  id: z.string().nullable(),
  audience: z.string().nullable(),
  scope: z.string().nullable(),
  signedInAt: z.number(),
  refreshToken: text,
  accessToken: text,
  accessFrom: z.number(),
  accessUntil: z.number(),
})

const version = 1
const stored = z.object({ version: z.literal(version), session })

export function sessionToBytes(value: Session): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version, session: value }))
}

/** Undefined for what a later or another program has written. */
export function sessionFromBytes(bytes: Uint8Array): Session | undefined {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's message would quote what it could not read.
    return undefined
  }
  const parsed = stored.safeParse(value)
  return parsed.success ? parsed.data.session : undefined
}
