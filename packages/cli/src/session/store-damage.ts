import { CliError } from '../failure.ts'

/** What each package says when its files are not what they were; only codes that no second try would mend. */
const damage: Readonly<Record<string, readonly string[]>> = {
  CredentialsError: ['malformed', 'not_authentic', 'kek_unknown'],
  SealingError: ['kek_invalid', 'file_missing', 'file_too_large'],
  StorageError: ['corrupt', 'not_a_database', 'schema_too_new'],
}

export function storeDamaged(folder: string, what: string, options?: ErrorOptions): CliError {
  return new CliError('store_damaged', `The session store in ${folder} cannot be used: ${what}`, {
    ...options,
    remedy:
      `Move ${folder} away and sign in again with \`countersign auth login\`. The sessions in it go on at their services ` +
      'until they expire or `countersign sessions revoke` ends them.',
  })
}

/** Tells a person what to do about their own store, where the error is for whoever runs a service. */
export function explainDamage(folder: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // What a callback of ours threw comes wrapped.
  if (error.name === 'TokenSourceError' && 'code' in error && error.code === 'store_failed' && error.cause) {
    return explainDamage(folder, error.cause)
  }
  const codes = Object.hasOwn(damage, error.name) ? damage[error.name] : undefined
  if (!('code' in error) || !codes?.includes(String(error.code))) return error
  return storeDamaged(folder, error.message, { cause: error })
}
