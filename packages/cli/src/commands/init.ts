import { constants, existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { type ConsumerMatrix, parseConsumers } from '@countersign/consumers'
import type { ResolvedConfig } from '@countersign/server'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { renderConfig, type StarterConfig, starterConsumers } from '../starter.ts'
import { examples } from '../usage.ts'

const configName = 'countersign.config.json'
const dataName = 'data'
const defaultIssuer = 'http://127.0.0.1:4600'

/** The first-party client that people sign in through from a terminal. */
const terminalClient = 'countersign-cli'

interface InitOptions {
  readonly issuer: string
  readonly consumers?: string
}

/** A loopback issuer is reached directly, so it names the port; anything else has a proxy in front. */
function portOf(issuer: string): number | undefined {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  if (url?.protocol !== 'http:' || url.port === '') return undefined
  return Number(url.port)
}

/** Nothing is ever overwritten: neither a configuration nor what a data directory holds. */
async function requireFreshPlace(folder: string, names: readonly string[], dataDir: string): Promise<void> {
  for (const name of names) {
    const file = join(folder, name)
    if (existsSync(file)) throw new CliError('already_exists', `${file} exists already.`)
  }
  if (existsSync(dataDir) && (await readdir(dataDir)).length > 0) {
    throw new CliError('not_empty', `${dataDir} is not empty.`)
  }
}

interface ChosenConsumers {
  /** What goes into the configuration: the matrix itself, or its file's path. */
  readonly setting: StarterConfig['consumers']
  readonly matrix: ConsumerMatrix
  /** A file to copy beside the configuration. */
  readonly copy: { readonly from: string; readonly to: string } | undefined
}

async function chooseConsumers(context: CommandContext, folder: string, file?: string): Promise<ChosenConsumers> {
  if (file === undefined) {
    return { setting: starterConsumers, matrix: parseConsumers(starterConsumers), copy: undefined }
  }
  const { readModule } = await import('@countersign/server')
  const from = resolve(context.io.cwd, file)
  const chosen = {
    setting: `./${basename(from)}`,
    matrix: parseConsumers(await readModule(from, 'consumers')),
  }
  const to = join(folder, basename(from))
  if (to === from) return { ...chosen, copy: undefined }
  if (existsSync(to)) throw new CliError('already_exists', `${to} exists already.`)
  return { ...chosen, copy: { from, to } }
}

interface Made {
  readonly rings: readonly { readonly name: string; readonly activeKid: string | null }[]
  /** Null when nobody can sign in for any audience. */
  readonly client: { readonly id: string; readonly name: string } | null
}

/** The data directory, the key-encryption key, the first key rings and the client for people at a terminal. */
async function makeService(context: CommandContext, config: ResolvedConfig): Promise<Made> {
  const { createDataDir, openTokenService } = await import('@countersign/server')
  await createDataDir(config)
  // Keys, database and audit log belong into no repository.
  await writeFile(join(config.dataDir, '.gitignore'), '*\n', { mode: 0o600 })
  const service = await openTokenService(config, { clock: context.io.clock })
  try {
    const audiences = Object.values(config.consumers.consumers)
      .filter((consumer) => consumer.obtainedBy.includes('sign-in'))
      .map((consumer) => consumer.audience)
    const added =
      audiences.length === 0
        ? undefined
        : await service.issuer.clients.add({
            name: terminalClient,
            type: 'public',
            grants: ['sign_in', 'refresh_token'],
            audiences,
            refreshDelivery: 'body',
            actor: context.operator,
          })
    return {
      rings: service.rings.map((ring) => ({ name: ring.name, activeKid: ring.status().activeKid })),
      client: added === undefined ? null : { id: added.client.id, name: added.client.name },
    }
  } finally {
    await service.close()
  }
}

async function init(context: CommandContext, dir: string, options: InitOptions): Promise<ExitCode> {
  const { io, out } = context
  const { configFileNames, resolveConfig } = await import('@countersign/server')
  const folder = resolve(io.cwd, dir)
  const configFile = join(folder, configName)
  const consumers = await chooseConsumers(context, folder, options.consumers)
  const port = portOf(options.issuer)
  const starter: StarterConfig = {
    issuer: options.issuer,
    ...(port === undefined ? {} : { port }),
    dataDir: `./${dataName}`,
    consumers: consumers.setting,
  }
  const config = await resolveConfig(
    { ...starter, consumers: consumers.matrix },
    { baseDir: folder, file: configFile, env: io.env },
  )
  await requireFreshPlace(folder, configFileNames, config.dataDir)

  await mkdir(folder, { recursive: true })
  out.note('making the data directory, the key-encryption key and the first signing key …')
  const made = await makeService(context, config)
  if (consumers.copy !== undefined) {
    await copyFile(consumers.copy.from, consumers.copy.to, constants.COPYFILE_EXCL)
  }
  // Last: a configuration that is there is one that works.
  await writeFile(configFile, renderConfig(starter), { flag: 'wx' })

  const document = {
    configFile,
    dataDir: config.dataDir,
    kekFile: config.kekFile,
    issuer: config.issuer,
    consumers: Object.keys(config.consumers.consumers),
    ...made,
  }
  const near = relative(io.cwd, configFile)
  const at = near === configName ? '' : ` --config ${near.startsWith('..') ? configFile : near}`
  out.result(document, (page) => {
    page.fields([
      ['configuration', configFile],
      ['data', `${config.dataDir} (back it up; the key-encryption key apart from the rest)`],
      ['issuer', config.issuer],
      ['consumers', document.consumers.join(' ')],
      ...made.rings.map((ring) => [`key (${ring.name})`, ring.activeKid ?? ''] as const),
      ['client', made.client === null ? 'none: no consumer is obtained by sign-in' : `${made.client.name} (public)`],
    ])
    page.line('')
    page.line('Next:', 'strong')
    page.fields([
      [`  countersign users add NAME${at}`, 'the first person who signs in'],
      [`  countersign serve${at}`, 'start the service'],
      [`  countersign doctor${at}`, 'check that all is well'],
    ])
  })
  return 0
}

export function addInit(program: Command, bind: Bind): void {
  const command = program
    .command('init')
    .description(
      'Makes a token service: a configuration with a consumer matrix to begin with, a data directory, a\n' +
        'key-encryption key, the first signing key and a client for signing in. Overwrites nothing.',
    )
    .argument('[dir]', 'where', '.')
  examples(command, [
    ['countersign init', 'in this directory, for http://127.0.0.1:4600'],
    ['countersign init auth --issuer https://auth.example.com', 'in auth/, behind a proxy'],
    ['countersign init --consumers consumers.ts', 'with a consumer matrix of your own'],
  ])
  command
    .option('--issuer <url>', '`iss` of every token: https, or http on loopback', defaultIssuer)
    .option('--consumers <file>', 'a module that exports `consumers`, or JSON; it is copied beside the configuration')
    .action(bind(init))
}
