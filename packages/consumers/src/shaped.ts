import type { z } from 'zod'
import { ConsumersError, type ConsumersErrorCode } from './errors.ts'

/** Parses one part, so that an error says where in the whole input it is. */
export function shaped<T>(schema: z.ZodType<T>, value: unknown, path: string, code: ConsumersErrorCode): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = (issue?.path ?? []).map(step).join('')
  throw new ConsumersError(code, `${path}${where}`, issue?.message ?? 'has the wrong form', { cause: result.error })
}

function step(part: PropertyKey): string {
  if (typeof part === 'number') return `[${part}]`
  const name = String(part)
  return /^\w+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}
