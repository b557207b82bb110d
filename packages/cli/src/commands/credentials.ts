import { checkName, maxSecretBytes } from '@countersign/credentials'
import type { Command } from 'commander'
import { cleanText } from '../clean-text.ts'
import type { Bind, CommandContext } from '../context.ts'
import { count } from '../count.ts'
import { withCredentials } from '../credentials/with-credentials.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { createBar } from '../progress.ts'
import { readSecretBytes, type SecretSource } from '../read-bytes.ts'
import { instant } from '../times.ts'
import { examples } from '../usage.ts'
import { addImportFernet } from './credentials-import.ts'

interface Owned {
  readonly owner: string
}

async function put(context: CommandContext, name: string, options: Owned & SecretSource): Promise<ExitCode> {
  return await withCredentials(context, async ({ credentials, record }) => {
    const owned = credentials.of(options.owner)
    // Before anybody types a secret, or the log says that it was stored.
    checkName(name, 'name')
    const secret = await readSecretBytes(context.io, options, maxSecretBytes)
    await record('put', options.owner)
    const entry = await owned.put(name, secret)
    secret.fill(0)
    context.out.result({ owner: options.owner, credential: entry }, (page) =>
      page.line(`${name} is stored, version ${entry.version}`),
    )
    return 0
  })
}

async function get(context: CommandContext, name: string, options: Owned & { show?: boolean }): Promise<ExitCode> {
  const { io, out } = context
  if (io.stdout.isTTY === true && options.show !== true) {
    throw new CliError('terminal_refused', 'Standard output is a terminal, which would show the secret and keep it.')
  }
  return await withCredentials(context, async ({ credentials, record }) => {
    await record('get', options.owner)
    const secret = await credentials.of(options.owner).get(name)
    if (secret === undefined) throw noSuch(name)
    const bytes = Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength)
    if (out.json) out.result({ owner: options.owner, name, base64: bytes.toString('base64') }, () => {})
    else if (io.stdout.isTTY === true) io.stdout.write(`${cleanText(bytes.toString('utf8'))}\n`)
    // A copy: the stream may write later than the bytes are zeroed.
    else io.stdout.write(Buffer.from(bytes))
    bytes.fill(0)
    return 0
  })
}

function noSuch(name: string): CliError {
  return new CliError('not_found', `There is no credential named ${name}.`)
}

async function list(context: CommandContext, { owner }: Owned): Promise<ExitCode> {
  return await withCredentials(context, async ({ credentials }) => {
    const entries = await credentials.of(owner).list()
    context.out.result({ owner, credentials: entries }, (page) =>
      page.table(
        ['name', 'version', 'created', 'updated'],
        entries.map(({ name, version, createdAt, updatedAt }) => [
          name,
          String(version),
          instant(createdAt),
          instant(updatedAt),
        ]),
        'There are none; `countersign credentials put NAME` stores one.',
      ),
    )
    return 0
  })
}

async function remove(context: CommandContext, name: string, { owner }: Owned): Promise<ExitCode> {
  return await withCredentials(context, async ({ credentials, record }) => {
    await record('remove', owner)
    if (!(await credentials.of(owner).remove(name))) throw noSuch(name)
    context.out.result({ owner, name, removed: true }, (page) => page.line(`${name} is removed`))
    return 0
  })
}

async function rewrap(context: CommandContext): Promise<ExitCode> {
  const { io, out } = context
  return await withCredentials(context, async ({ credentials, count: countAll, record }) => {
    await record('rewrap', 'all')
    const bar = createBar(out, io, { what: 'credentials', total: await countAll() })
    const outcome = await credentials.rewrap({ onProgress: ({ looked }) => bar.at(looked) }).finally(() => bar.end())
    out.result(outcome, (page) => {
      page.fields([
        ['wrapped anew', String(outcome.rewrapped)],
        ['were already', String(outcome.current)],
        ['failed', { text: String(outcome.failed.length), tone: outcome.failed.length === 0 ? 'plain' : 'bad' }],
      ])
      if (outcome.failed.length === 0) return
      page.line('')
      page.table(
        ['owner', 'name', 'why'],
        outcome.failed.map(({ owner, name, code }) => [owner, name, code]),
        '',
      )
    })
    if (outcome.failed.length === 0) return 0
    out.warning(
      `${count(outcome.failed.length, 'credential')} not under the current key: keep the old one (docs/reference/errors.md).`,
    )
    return 1
  })
}

const ownerOption = ['--owner <name>', 'whose they are', 'module'] as const

export function addCredentials(program: Command, bind: Bind): void {
  const credentials = program
    .command('credentials')
    .description("Secrets that the service keeps for others, sealed under its key-encryption key; an owner's each.")

  const putCommand = credentials
    .command('put')
    .description(
      'Stores a secret, over an earlier one of this name. It comes from a prompt, from stdin or from --file, and may be ' +
        `any bytes, at most ${maxSecretBytes.toLocaleString('en')}. One final line ending is left out.`,
    )
    .argument('<name>')
  examples(putCommand, [
    ['countersign credentials put github', 'asks for it twice'],
    ['countersign credentials put github < token.txt', 'from stdin'],
    ['countersign credentials put client-key --file key.der --raw', 'every byte as it is'],
  ])
  putCommand
    .option(...ownerOption)
    .option('--file <file>', 'read it from there')
    .option('--raw', 'keep a final line ending')
    .action(bind(put))

  const getCommand = credentials
    .command('get')
    .description('Writes the bytes of a secret to stdout and nothing else. To a terminal only with --show.')
    .argument('<name>')
  examples(getCommand, [
    ['countersign credentials get github | gh auth login --with-token', ''],
    ['countersign credentials get github --show', 'on the screen'],
  ])
  getCommand
    .option(...ownerOption)
    .option('--show', 'also to a terminal')
    .action(bind(get))

  const listCommand = credentials.command('list').description('Names and times; opens nothing.')
  examples(listCommand, [
    ['countersign credentials list', ''],
    ['countersign credentials list --owner ada --json', 'for programs'],
  ])
  listCommand.option(...ownerOption).action(bind(list))

  const removeCommand = credentials.command('remove').description('Deletes a secret.').argument('<name>')
  examples(removeCommand, [['countersign credentials remove github', '']])
  removeCommand.option(...ownerOption).action(bind(remove))

  addImportFernet(credentials, bind)

  const rewrapCommand = credentials
    .command('rewrap')
    .description(
      'Wraps the keys of all secrets, of every owner, under the current key-encryption key; beside readers and writers.',
    )
  examples(rewrapCommand, [
    ['countersign credentials rewrap', 'after changing the key-encryption key; repeat it freely'],
  ])
  rewrapCommand.action(bind(rewrap))
}
