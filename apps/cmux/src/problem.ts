import type { z } from 'zod'

const statuses = {
  invalid_request: 400,
  not_found: 404,
  limit_reached: 409,
  too_large: 413,
  unsupported_media_type: 415,
  wrong_host: 421,
} as const

export type ProblemCode = keyof typeof statuses

/** Something wrong with a request or a message, to be told to whoever sent it. */
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
  /** @throws Problem `invalid_request` that names where the value is wrong, never the value */
  static parse<Value>(schema: z.ZodType<Value>, value: unknown): Value {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const issue = result.error.issues[0]
    const what = issue?.code === 'unrecognized_keys' ? 'has a member that is not known' : (issue?.message ?? 'is wrong')
    throw new Problem('invalid_request', `${issue?.path.join('.') || 'the message'}: ${what}`, { cause: result.error })
  }
}
