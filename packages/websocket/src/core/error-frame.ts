import type { Retry } from '../close-codes.ts'
import type { ErrorFrame } from '../frames.ts'

/** A frame whose absent members are written `undefined`, which JSON leaves out. */
export type Sparse<Frame> = { readonly [Name in keyof Frame]: Frame[Name] | undefined }

export function errorFrame(
  id: string | undefined,
  code: string,
  retry: Retry,
  retryAfterMs?: number,
): Sparse<Required<ErrorFrame>> {
  return { type: 'error', id, code, retry, retryAfterMs }
}
