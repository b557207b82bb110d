import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isCredentialsError, maxSecretBytes, type OwnedCredentials } from '@countersign/credentials'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { type EntryFault, type OpenedEntry, openEntry, parseEntries } from '../credentials/read-fernet-entries.ts'
import { mostPerOwner, withCredentials } from '../credentials/with-credentials.ts'
import { CliError, cliRemedies, type ExitCode } from '../failure.ts'
import { readStream } from '../read-stream.ts'
import { duration, examples } from '../usage.ts'

interface ImportOptions {
  readonly owner: string
  readonly keyFile: string
  readonly file?: string
  readonly ttl?: number
  readonly dryRun?: boolean
  readonly replace?: boolean
}

const mostKeyBytes = 65_536
const mostInputBytes = 64 * 1024 * 1024
const longestTtl = 999_999_999

/** In the order of MultiFernet, one a line; the token file is not there to be read by others. */
async function readKeys({ io, out }: CommandContext, file: string): Promise<readonly string[]> {
  const path = resolve(io.cwd, file)
  const text = (await readStream(createReadStream(path), mostKeyBytes, 'key file')).toString('utf8')
  const keys = text.split(/\s+/u).filter((line) => line !== '')
  if (keys.length === 0) throw new CliError('bad_input', 'The key file has no key.', { remedy: 'Give one key a line.' })
  const { mode } = statSync(path)
  if (process.geteuid !== undefined && (mode & 0o077) !== 0) {
    out.warning(
      `${path} can be read by others than its owner: they can open the tokens, too. Destroy it once all is moved.`,
    )
  }
  return keys
}

type Kind = 'new' | 'same' | 'replaced'

interface Plan {
  readonly entries: readonly (OpenedEntry & { readonly kind: Kind })[]
  readonly faults: readonly EntryFault[]
}

/** Looks at everything before anything is written. */
async function plan(
  opened: readonly (OpenedEntry | EntryFault)[],
  owned: OwnedCredentials,
  replace: boolean,
): Promise<Plan> {
  const entries: (OpenedEntry & { kind: Kind })[] = []
  const faults: EntryFault[] = []
  for (const one of opened) {
    if ('code' in one) faults.push(one)
    else {
      const kind = await kindOf(one, owned, replace)
      if (kind === 'new' || kind === 'same' || kind === 'replaced') entries.push({ ...one, kind })
      else faults.push({ at: one.at, name: one.name, code: kind })
    }
  }
  return { entries, faults }
}

async function kindOf(
  { name, secret }: OpenedEntry,
  owned: OwnedCredentials,
  replace: boolean,
): Promise<Kind | EntryFault['code']> {
  if (secret.length > maxSecretBytes) return 'data_too_large'
  try {
    const present = await owned.get(name)
    if (present === undefined) return 'new'
    const same = Buffer.from(present).equals(secret)
    present.fill(0)
    if (same) return 'same'
    return replace ? 'replaced' : 'exists_already'
  } catch (error) {
    if (!isCredentialsError(error)) throw error
    // What is there cannot be opened: it may be written over when that was asked for.
    return replace && error.code !== 'name_invalid' ? 'replaced' : error.code
  }
}

const reasons: Readonly<Partial<Record<EntryFault['code'], string>>> = {
  line_malformed: 'is not NAME, a tab and TOKEN',
  name_repeated: 'stands there twice',
  exists_already: 'is there already with another secret (--replace writes over it)',
  secret_empty: 'holds nothing',
  fernet_invalid: 'was made with none of the keys, or was altered',
  fernet_expired: 'is older than --ttl allows, or comes from the future',
  name_invalid: 'has a name that a credential cannot have',
  data_too_large: `is larger than ${maxSecretBytes} bytes`,
}

async function importFernet(context: CommandContext, options: ImportOptions): Promise<ExitCode> {
  const { io, out } = context
  return await withCredentials(context, async ({ credentials, record }) => {
    const keys = await readKeys(context, options.keyFile)
    const source = options.file === undefined ? io.stdin : createReadStream(resolve(io.cwd, options.file))
    const { entries: read, faults } = parseEntries((await readStream(source, mostInputBytes, 'input')).toString('utf8'))
    const limits = { now: io.clock.now(), ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }) }
    const owned = credentials.of(options.owner)
    const planned = await plan(
      [...faults, ...read.map((one) => openEntry(one, keys, limits))],
      owned,
      options.replace === true,
    )
    if (planned.faults.length > 0) return refuse(context, planned)

    const dryRun = options.dryRun === true
    const { entries } = planned
    await requireRoom(owned, entries)
    const changed = entries.filter(({ kind }) => kind !== 'same')
    if (!dryRun && changed.length > 0) {
      await record('import', options.owner, { from: 'fernet', count: changed.length })
      let done = 0
      for (const { name, secret } of changed) {
        await owned.put(name, secret)
        done += 1
        if (done % 100 === 0) out.note(`${done} of ${changed.length} imported`)
      }
    }
    for (const { secret } of entries) secret.fill(0)
    out.result({ owner: options.owner, dryRun, entries: entries.map(({ name, kind }) => ({ name, kind })) }, (page) => {
      page.table(
        ['name', dryRun ? 'would be' : 'is'],
        entries.map(({ name, kind }) => [name, words[kind]]),
        '',
      )
    })
    if (!dryRun) out.note('Check with `countersign credentials list`, then destroy the Fernet keys and tokens.')
    return 0
  })
}

/** Told before the first is written, not at the one that is too many. */
async function requireRoom(owned: OwnedCredentials, entries: Plan['entries']): Promise<void> {
  const fresh = entries.filter(({ kind }) => kind === 'new').length
  const present = fresh === 0 ? 0 : (await owned.list()).length
  if (present + fresh <= mostPerOwner) return
  throw new CliError(
    'import_refused',
    `${fresh} more would make ${present + fresh}; an owner has ${mostPerOwner} at most.`,
    {
      remedy: 'Import them for several owners (--owner), or remove what is no longer used; nothing was imported.',
    },
  )
}

const words: Readonly<Record<Kind, string>> = {
  new: 'imported',
  same: 'there already, the same',
  replaced: 'imported over another secret',
}

/** Nothing was written: who repeats the import need not find out what part of it is there. */
function refuse({ out }: CommandContext, { entries, faults }: Plan): ExitCode {
  for (const { secret } of entries) secret.fill(0)
  const message = `${faults.length} of ${entries.length + faults.length} cannot be imported; nothing was.`
  out.result(
    { error: { code: 'import_refused', message, remedy: cliRemedies.import_refused }, failed: faults },
    (page) => {
      for (const { at, name, code } of faults) {
        page.line(`${at}${name === '' ? '' : ` (${name})`} ${reasons[code] ?? code}`, 'bad')
      }
    },
  )
  if (!out.json)
    out.failure(
      { exitCode: 1, code: 'import_refused', message, remedy: cliRemedies.import_refused, expected: true },
      undefined,
    )
  return 1
}

export function addImportFernet(credentials: Command, bind: Bind): void {
  const command = credentials
    .command('import-fernet')
    .description(
      'Moves secrets over from Fernet. Reads lines of NAME, a tab and TOKEN, or one JSON object of names and tokens, from ' +
        'stdin or --file. Everything is opened and checked first; if one entry cannot be imported, none is. Cut off in the ' +
        'middle of writing, the same command goes on: what is there already, and the same, is left as it is.',
    )
  examples(command, [
    ['countersign credentials import-fernet --key-file fernet.keys --file tokens.tsv --dry-run', 'what would be done'],
    ['countersign credentials import-fernet --key-file fernet.keys < tokens.tsv', ''],
    ['countersign credentials import-fernet --key-file fernet.keys --ttl 30d < tokens.json', 'nothing older'],
  ])
  command
    .requiredOption('--key-file <file>', 'the Fernet keys, one a line; several as MultiFernet takes them')
    .option('--owner <name>', 'whose they become', 'module')
    .option('--file <file>', 'the tokens (default: stdin)')
    .option('--ttl <time>', 'refuse tokens that are older', duration(longestTtl))
    .option('--replace', 'write over secrets of the same names')
    .option('--dry-run', 'check everything and write nothing')
    .action(bind(importFernet))
}
