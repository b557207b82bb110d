import type { FeedPosition } from './entry.ts'

/** A position as it stands in `Last-Event-ID`, an SSE `id` and an ETag: `3.1042`. */
export function writePosition({ epoch, seq }: FeedPosition): string {
  return `${epoch}.${seq}`
}

/** @returns `undefined` for anything that {@link writePosition} does not write */
export function readPosition(text: string): FeedPosition | undefined {
  const parts = /^(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,15})$/.exec(text)
  if (parts === null) return undefined
  const position = { epoch: Number(parts[1]), seq: Number(parts[2]) }
  return Number.isSafeInteger(position.epoch) && Number.isSafeInteger(position.seq) ? position : undefined
}

/** Below zero, zero, above zero: as `a` is older than, the same as, newer than `b`. */
export function comparePositions(a: FeedPosition, b: FeedPosition): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
