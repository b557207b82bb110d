import type { z } from 'zod'

const statuses = {
  invalid_request: 400,
  forbidden: 403,
  not_found: 404,
  limit_reached: 409,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  unavailable: 503,
} as const

export type ProblemCode = keyof typeof statuses

/** Something wrong with a request, to be told to whoever sent it. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  constructor(code: ProblemCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  get status(): number {
    return statuses[this.code]
  }
  /** @throws Problem `invalid_request` that names where the value is wrong, and what was expected; never the value */
  static parse<Value>(schema: z.ZodType<Value>, value: unknown): Value {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const issue = result.error.issues[0]
    // A key that is not known is the caller's word, so it is not repeated.
    const what = issue?.code === 'unrecognized_keys' ? 'has a member that is not known' : (issue?.message ?? 'is wrong')
    const where = issue?.path.length ? issue.path.join('.') : 'the body'
    throw new Problem('invalid_request', `${where}: ${what}`, { cause: result.error })
  }
}
