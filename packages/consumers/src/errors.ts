/** Why a consumer matrix was not accepted. New codes may come in a minor release. */
export const consumersErrorCodes = [
  'invalid_matrix',
  'invalid_audience',
  'invalid_scope',
  'invalid_life',
  'invalid_resource',
  'duplicate_resource',
  'unknown_audience',
  'unknown_scope',
  'invalid_edge',
] as const

export type ConsumersErrorCode = (typeof consumersErrorCodes)[number]

/** What to do about each code. */
export const consumersRemedies: Readonly<Record<ConsumersErrorCode, string>> = {
  invalid_matrix: 'Correct the value at the named path; the README of @countersign/consumers lists every field.',
  invalid_audience:
    'Name an audience with lower-case letters, digits, ".", "_" and "-", starting with a letter, at most 63 characters; `consumers` and `edges` are reserved.',
  invalid_scope:
    'Write a scope as `resource:action` in lower case, at most 64 characters, or as `admin` or `service`; each once.',
  invalid_life: 'Choose an access token life from 60 to 604800 whole seconds.',
  invalid_resource:
    'Give the resource as an absolute https URL (http on loopback only) without query, fragment or credentials.',
  duplicate_resource:
    'Give each consumer a resource URL of its own: a token request by `resource` must find one audience.',
  unknown_audience: 'Declare the audience in the same matrix, or correct its name in the edge.',
  unknown_scope:
    'Declare the scope at both audiences of the edge (an exchange never adds one), or correct its name in the edge.',
  invalid_edge:
    'An edge joins two different audiences, is declared once for each client, and leads to an audience whose `obtainedBy` has "exchange".',
}

/** Thrown for a matrix that cannot be used. */
export class ConsumersError extends Error {
  override readonly name = 'ConsumersError'
  readonly code: ConsumersErrorCode
  /** Where in the input, such as `agent-api.scopes[1]`; empty for the whole. */
  readonly path: string
  constructor(code: ConsumersErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(path === '' ? message : `${path}: ${message}`, options)
    this.code = code
    this.path = path
  }
  /** What the operator should do next. */
  get remedy(): string {
    return consumersRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(consumersErrorCodes)

/** True for a {@link ConsumersError} of any installed copy of this package. */
export function isConsumersError(error: unknown): error is ConsumersError {
  return error instanceof Error && error.name === 'ConsumersError' && 'code' in error && codes.has(error.code)
}
