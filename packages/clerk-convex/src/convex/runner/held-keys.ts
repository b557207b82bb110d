import type { AuthWriter } from '../audit.ts'

/** After this the set is read again; what is held serves on while that fails. */
const freshSeconds = 3_600
/** Between two readings for ids that the set does not have. */
const unknownSeconds = 30
/** Between two readings while nothing is held. */
const emptySeconds = 1

export interface HeldKeys {
  /** The set as it was read, JSON. */
  readonly jwks: string | null
  /** Whether whoever asks is to read the set now: one of all who ask at a time. */
  readonly mayRead: boolean
}

/** The deployment's own keys, kept beside the rows that need them: an HTTP action has no memory of the one before. */
export async function askForKeys(db: AuthWriter, now: number, kid: string): Promise<HeldKeys> {
  const row = await db.query('authRunnerKeys').first()
  if (row === null) {
    await db.insert('authRunnerKeys', { readAt: 0, askedAt: now })
    return { jwks: null, mayRead: true }
  }
  const { jwks, readAt, askedAt } = row
  const isKnown = jwks?.includes(JSON.stringify(kid)) === true
  if (isKnown && now - readAt < freshSeconds) return { jwks, mayRead: false }
  const mayRead = now - askedAt >= (jwks === undefined ? emptySeconds : unknownSeconds)
  if (mayRead) await db.patch(row._id, { askedAt: now })
  return { jwks: jwks ?? null, mayRead }
}

export async function keepKeys(db: AuthWriter, now: number, jwks: string): Promise<void> {
  const row = await db.query('authRunnerKeys').first()
  if (row === null) await db.insert('authRunnerKeys', { jwks, readAt: now, askedAt: now })
  else await db.patch(row._id, { jwks, readAt: now })
}
