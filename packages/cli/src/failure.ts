/** Exit codes: 0 done, 1 refused or failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2

export const cliErrorCodes = [
  'wrong_usage',
  'cancelled',
  'bad_input',
  'already_exists',
  'not_found',
  'not_empty',
  'address_unusable',
  'unreachable',
  'stale_document',
  'not_signed_in',
  'sign_in_refused',
  'throttled',
  'session_ended',
  'store_damaged',
  'busy',
  'terminal_refused',
  'import_refused',
] as const

export type CliErrorCode = (typeof cliErrorCodes)[number]

/** What to do about each code, apart from what went wrong. */
export const cliRemedies: Readonly<Record<CliErrorCode, string>> = {
  wrong_usage: "See the command's --help.",
  cancelled: 'Run the command again when you are ready; nothing was changed.',
  bad_input: 'Give what is asked for on standard input, or run the command on a terminal and type it at the prompt.',
  already_exists: 'Use what is there, or choose another name or directory: nothing is ever overwritten.',
  not_found: 'List what there is with the matching `list` command and use a name from it.',
  not_empty: 'Choose an empty directory for the data.',
  address_unusable: 'Give an https URL, or http on a loopback address.',
  unreachable: 'Check the URL and that the service runs (`countersign doctor`).',
  stale_document: 'Write it anew with `countersign consumers matrix --write` and commit it.',
  not_signed_in: 'Sign in with `countersign auth login`.',
  sign_in_refused: 'Check the name and the password, and that the service is the one you mean.',
  throttled: 'Wait as long as it says, then try again.',
  session_ended: 'Sign in again with `countersign auth login`.',
  store_damaged: 'Move the folder of the store away and sign in again with `countersign auth login`.',
  busy: 'Wait for the other `countersign`, or end it, then try again.',
  terminal_refused: 'Send it on to a file or a program, or add --show.',
  import_refused: 'Put right what is listed and run it again: nothing was imported.',
}

/** Thrown by commands for what a user can put right. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliErrorCode
  /** What the operator should do next. */
  readonly remedy: string
  constructor(code: CliErrorCode, message: string, options?: ErrorOptions & { readonly remedy?: string }) {
    super(message, options)
    this.code = code
    this.remedy = options?.remedy ?? cliRemedies[code]
  }
}

const codes: ReadonlySet<unknown> = new Set(cliErrorCodes)

/** True for a {@link CliError} of any installed copy of this package. */
export function isCliError(error: unknown): error is CliError {
  return error instanceof Error && error.name === 'CliError' && 'code' in error && codes.has(error.code)
}

/** What is told of a failure: never a stack. */
export interface Failure {
  readonly exitCode: 1 | 2
  /** A code of the package that failed, a code of the system such as `EACCES`, or `internal`. */
  readonly code: string
  readonly message: string
  readonly remedy: string | undefined
  /** False for a fault of ours: the stack is worth having then. */
  readonly expected: boolean
}

const systemRemedies: Readonly<Record<string, string>> = {
  EACCES: 'Check the owner and the mode of the file and of its directory.',
  EADDRINUSE: 'Stop what listens there, or set another port (COUNTERSIGN_PORT, COUNTERSIGN_METRICS_PORT).',
  EADDRNOTAVAIL: 'Listen on an address of this machine (COUNTERSIGN_HOST).',
  EISDIR: 'Give a file, not a directory.',
  ENOENT: 'Check the path.',
  ENOSPC: 'Free space on the disk.',
  ENOTDIR: 'Check the path.',
  EROFS: 'Choose a place that can be written to.',
}

function textOf(error: Error, key: string): string | undefined {
  const value: unknown = Reflect.get(error, key)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A signing key does not open where its key-encryption key may not be read: that is what has to be put right then. */
function mendedAt(error: Error): Error {
  const { cause } = error
  if (textOf(error, 'code') !== 'key_not_ours' || !(cause instanceof Error)) return error
  return /^(?:file_|kek_invalid$)/u.test(textOf(cause, 'code') ?? '') ? cause : error
}

/**
 * Reads a thrown value. Every package's error carries `code` and `remedy`, so they are recognised by shape: two
 * installed copies of a package break `instanceof`, and a new package needs no change here.
 */
export function readFailure(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) {
    return { exitCode: 1, code: 'internal', message: String(thrown), remedy: undefined, expected: false }
  }
  const mended = mendedAt(thrown)
  const code = textOf(mended, 'code')
  const remedy = textOf(mended, 'remedy')
  if (code !== undefined && remedy !== undefined) {
    const exitCode = isCliError(thrown) && thrown.code === 'wrong_usage' ? 2 : 1
    return { exitCode, code, message: thrown.message, remedy, expected: true }
  }
  if (code !== undefined && Object.hasOwn(systemRemedies, code)) {
    return { exitCode: 1, code, message: thrown.message, remedy: systemRemedies[code], expected: true }
  }
  if (thrown.name === 'ExitPromptError' || thrown.name === 'AbortPromptError') {
    return {
      exitCode: 1,
      code: 'cancelled',
      message: 'Cancelled at the prompt.',
      remedy: cliRemedies.cancelled,
      expected: true,
    }
  }
  return { exitCode: 1, code: 'internal', message: thrown.message || thrown.name, remedy: undefined, expected: false }
}
