import type { FeedPosition, RevocationLog } from '@countersign/revocation'

/** Tells where the log stands, from where it stood last; only the first time, or after long, by reading all of it. */
export function createPositionReader(log: Pick<RevocationLog, 'after' | 'snapshot'>): () => Promise<FeedPosition> {
  let known = 0
  return async () => {
    const { position } = (await log.after(known, 0)) ?? (await log.snapshot())
    known = position.seq
    return position
  }
}
