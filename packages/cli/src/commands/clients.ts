import type { ClientInfo, GrantType } from '@countersign/issuer'
import { type Command, Option } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import type { Page } from '../output.ts'
import { readPublicKey } from '../read-public-key.ts'
import type { Cell } from '../table.ts'
import { instant } from '../times.ts'
import { duration, examples, many } from '../usage.ts'

interface AddOptions {
  readonly audience: readonly string[]
  readonly scope?: readonly string[]
  readonly signIn?: boolean
  readonly origin?: readonly string[]
  readonly refresh?: 'cookie' | 'body' | 'none'
  readonly publicKey?: string
  readonly exchange?: boolean
  readonly synthetic?: boolean
}

/** What kind of client the options describe: a service with a secret, or an app that signs people in. */
function grantsOf({ signIn, refresh, exchange }: AddOptions): readonly GrantType[] {
  if (!signIn) return exchange ? ['client_credentials', 'token_exchange'] : ['client_credentials']
  return refresh === 'none' ? ['sign_in'] : ['sign_in', 'refresh_token']
}

async function add(context: CommandContext, name: string, options: AddOptions): Promise<ExitCode> {
  if (options.signIn && (options.exchange || options.publicKey !== undefined)) {
    throw new CliError(
      'bad_input',
      'An app that signs people in has no key and exchanges nothing: leave --sign-in out.',
    )
  }
  const publicKey = options.publicKey === undefined ? undefined : await readPublicKey(context.io, options.publicKey)
  return await context.withService(async ({ issuer }) => {
    const { client, secret } = await issuer.clients.add({
      name,
      ...(publicKey === undefined ? {} : { publicKey }),
      ...(options.synthetic ? { synthetic: true } : {}),
      type: options.signIn ? 'public' : 'confidential',
      grants: grantsOf(options),
      audiences: options.audience,
      ...(options.scope === undefined ? {} : { scopes: options.scope }),
      ...(options.origin === undefined ? {} : { origins: options.origin }),
      ...(options.refresh === undefined || options.refresh === 'none' ? {} : { refreshDelivery: options.refresh }),
      actor: context.operator,
    })
    context.out.result({ client, secret }, (page) => {
      page.fields([
        ['client', client.name],
        ['id', client.id],
        ['audiences', client.audiences.join(' ')],
        ['scopes', client.scopes === null ? 'all of its audiences' : client.scopes.join(' ')],
        ['key', client.keys[0]?.kid ?? 'none'],
        ['secret', secret ?? (client.type === 'public' ? 'none: a public client' : 'none: it signs with its key')],
      ])
    })
    if (secret !== null) context.out.note('Keep the secret now: it is not shown again.')
    return 0
  })
}

function waysOf({ keys, secrets }: ClientInfo): string {
  return [...(keys.length > 0 ? ['key'] : []), ...(secrets.length > 0 ? ['secret'] : [])].join(' ') || '-'
}

function writeClients(page: Page, clients: readonly ClientInfo[]): void {
  const rows = clients.map((client): Cell[] => [
    client.name,
    client.id,
    client.type,
    waysOf(client),
    client.grants.join(' '),
    client.audiences.join(' '),
    client.scopes === null ? 'all' : client.scopes.join(' '),
    client.disabledAt === null
      ? { text: 'active', tone: 'good' }
      : { text: `disabled ${instant(client.disabledAt)}`, tone: 'bad' },
  ])
  const head = ['name', 'id', 'type', 'by', 'grants', 'audiences', 'scopes', 'state']
  page.table(head, rows, 'There are no clients; `countersign clients add NAME --audience AUDIENCE` adds one.')
}

async function list(context: CommandContext): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const { allPages } = await import('@countersign/issuer')
    const clients = await allPages(
      (page) => issuer.clients.list(page),
      (client) => client.name,
    )
    context.out.result({ clients }, (page) => writeClients(page, clients))
    return 0
  })
}

async function disable(context: CommandContext, name: string): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    await issuer.clients.disable(name, { actor: context.operator })
    context.out.result({ client: name, disabled: true }, (page) =>
      page.line(`${name} is disabled; every session through it has ended`),
    )
    return 0
  })
}

async function rotateSecret(context: CommandContext, name: string, options: { keep?: number }): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const { client, secret, previousExpiresAt } = await issuer.clients.rotateSecret(name, {
      actor: context.operator,
      ...(options.keep === undefined ? {} : { overlapSeconds: options.keep }),
    })
    context.out.result({ client, secret, previousExpiresAt }, (page) => {
      page.fields([
        ['client', client.name],
        ['id', client.id],
        ['secret', secret],
        ['previous', previousExpiresAt === null ? 'ended' : `valid until ${instant(previousExpiresAt)}`],
      ])
    })
    context.out.note('Keep the secret now: it is not shown again.')
    return 0
  })
}

interface RotateKeyOptions {
  readonly publicKey: string
  readonly keep?: number
}

async function rotateKey(context: CommandContext, name: string, options: RotateKeyOptions): Promise<ExitCode> {
  const publicKey = await readPublicKey(context.io, options.publicKey)
  return await context.withService(async ({ issuer }) => {
    const { client, previousExpiresAt } = await issuer.clients.rotateKey(name, publicKey, {
      actor: context.operator,
      ...(options.keep === undefined ? {} : { overlapSeconds: options.keep }),
    })
    context.out.result({ client, previousExpiresAt }, (page) => {
      page.fields([
        ['client', client.name],
        ['id', client.id],
        ['key', client.keys[0]?.kid ?? 'none'],
        ['previous', previousExpiresAt === null ? 'ended' : `valid until ${instant(previousExpiresAt)}`],
      ])
    })
    return 0
  })
}

export function addClients(program: Command, bind: Bind): void {
  const clients = program.command('clients').description('Service accounts and apps that obtain tokens.')

  const addCommand = clients
    .command('add')
    .description('Adds a service account with a secret, or with --sign-in an app that signs people in.')
    .argument('<name>', 'letters, digits and . _ -')
  examples(addCommand, [
    ['countersign clients add nightly-etl --audience reports-api', 'a service account; prints its secret once'],
    ['countersign clients add nightly-etl --audience reports-api --public-key etl.pem', 'one that signs with its key'],
    ['countersign clients add web --sign-in --audience api --origin https://app.example.com', 'a browser app'],
  ])
  addCommand
    .requiredOption('--audience <name>', 'a consumer that it may obtain tokens for; may be repeated', many)
    .option('--scope <scope>', 'a scope that it may ask for; may be repeated (default: all of its audiences)', many)
    .option('--public-key <file>', 'its Ed25519 public key, PEM or JWK: it signs its requests and gets no secret')
    .option('--exchange', 'it may also exchange the tokens that are sent to it, as the consumer matrix allows')
    .option('--synthetic', 'a monitor: its tokens are refused for scopes with side effects')
    .option('--sign-in', 'a public first-party app that signs people in')
    .option('--origin <origin>', 'with --sign-in: a browser origin, exact; may be repeated', many)
    .addOption(
      new Option('--refresh <way>', 'with --sign-in: how its refresh token travels').choices([
        'cookie',
        'body',
        'none',
      ]),
    )
    .action(bind(add))

  const listCommand = clients.command('list').description('All clients.')
  examples(listCommand, [['countersign clients list --json', 'for programs']])
  listCommand.action(bind(list))

  const disableCommand = clients
    .command('disable')
    .description('Lets a client obtain tokens no more and ends every session through it.')
    .argument('<name>')
  examples(disableCommand, [['countersign clients disable nightly-etl', '']])
  disableCommand.action(bind(disable))

  const rotateCommand = clients
    .command('rotate-secret')
    .description(
      'Makes a new secret, prints it once; the previous one stays valid for a day, or as long as --keep says.',
    )
    .argument('<name>')
  examples(rotateCommand, [
    ['countersign clients rotate-secret nightly-etl', 'the previous one ends in a day'],
    ['countersign clients rotate-secret nightly-etl --keep 0', 'it ends now'],
  ])
  rotateCommand
    .option('--keep <time>', 'how long the previous secret stays valid, 0 to 30d (default: 24h)', duration(2_592_000))
    .action(bind(rotateSecret))

  const rotateKeyCommand = clients
    .command('rotate-key')
    .description('Takes a new public key; the previous one, and a secret, stay valid for a day, or as --keep says.')
    .argument('<name>')
  examples(rotateKeyCommand, [
    ['countersign clients rotate-key nightly-etl --public-key next.pem --keep 1h', 'both keys for an hour'],
  ])
  rotateKeyCommand
    .requiredOption('--public-key <file>', 'the new Ed25519 public key, PEM or JWK')
    .option('--keep <time>', 'how long the previous one stays valid, 0 to 30d (default: 24h)', duration(2_592_000))
    .action(bind(rotateKey))
}
