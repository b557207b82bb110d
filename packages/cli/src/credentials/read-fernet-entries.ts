import { type CredentialsErrorCode, isCredentialsError, readFernet } from '@countersign/credentials'
import { CliError } from '../failure.ts'

/** A secret under Fernet, with the name that it is to have. */
export interface FernetEntry {
  /** For messages: `line 3`, or the place in the object. */
  readonly at: string
  readonly name: string
  readonly token: string
}

/** Why an entry cannot be imported. Never holds what it says. */
export interface EntryFault {
  readonly at: string
  readonly name: string
  readonly code: CredentialsErrorCode | 'line_malformed' | 'name_repeated' | 'exists_already' | 'secret_empty'
}

const mostEntries = 100_000

/**
 * Lines of a name, a tab and a token, or one JSON object of names and tokens.
 * @throws CliError `bad_input` for neither
 */
export function parseEntries(text: string): {
  readonly entries: readonly FernetEntry[]
  readonly faults: EntryFault[]
} {
  const all = text.trimStart().startsWith('{') ? fromObject(text) : fromLines(text)
  if (all.length === 0) throw new CliError('bad_input', 'There is nothing to import.')
  if (all.length > mostEntries) throw new CliError('bad_input', `There are more than ${mostEntries} entries.`)
  const seen = new Set<string>()
  const entries: FernetEntry[] = []
  const faults: EntryFault[] = []
  for (const { at, name, token } of all) {
    if (token === undefined) faults.push({ at, name: '', code: 'line_malformed' })
    else if (seen.has(name)) faults.push({ at, name, code: 'name_repeated' })
    else entries.push({ at, name, token })
    seen.add(name)
  }
  return { entries, faults }
}

interface Raw {
  readonly at: string
  readonly name: string
  readonly token: string | undefined
}

function fromLines(text: string): Raw[] {
  return text
    .split(/\r?\n/u)
    .map((line, index) => ({ line, at: `line ${index + 1}` }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, at }) => {
      const [name = '', token, ...rest] = line.split('\t')
      return { at, name, token: rest.length === 0 ? token : undefined }
    })
}

function fromObject(text: string): Raw[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message would quote what it could not read.
  }
  if (typeof value !== 'object' || value === null) {
    throw new CliError('bad_input', 'What begins with a brace is no JSON object.', {
      remedy: 'Give lines of NAME, a tab and TOKEN, or one JSON object of names and tokens.',
    })
  }
  return Object.entries(value).map(([name, token], index) => ({
    at: `member ${index + 1}`,
    name,
    token: typeof token === 'string' ? token : undefined,
  }))
}

export interface OpenedEntry {
  readonly at: string
  readonly name: string
  readonly secret: Uint8Array
}

/** Opens one entry; the fault where it cannot be. @throws CredentialsError `fernet_key_invalid` */
export function openEntry(
  { at, name, token }: FernetEntry,
  keys: readonly string[],
  options: { readonly ttlSeconds?: number; readonly now: number },
): OpenedEntry | EntryFault {
  try {
    const secret = readFernet(token, keys, options)
    return secret.length === 0 ? { at, name, code: 'secret_empty' } : { at, name, secret }
  } catch (error) {
    if (!isCredentialsError(error) || error.code === 'fernet_key_invalid') throw error
    return { at, name, code: error.code }
  }
}
