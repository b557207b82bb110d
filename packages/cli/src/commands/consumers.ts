import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type ConsumerMatrix, checkConsumers, parseConsumers, renderMatrix } from '@countersign/consumers'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { count } from '../count.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { examples } from '../usage.ts'

/** Where the document lies in a repository, unless said otherwise. */
export const matrixDocument = 'docs/security/jwt-consumer-matrix.md'

interface MatrixSource {
  readonly consumers?: string
}

/** From the named file, or from the configuration. */
async function readMatrix(context: CommandContext, { consumers }: MatrixSource): Promise<ConsumerMatrix> {
  if (consumers === undefined) return (await context.loadConfig()).consumers
  const { readModule } = await import('@countersign/server')
  return parseConsumers(await readModule(resolve(context.io.cwd, consumers), 'consumers'))
}

async function check(
  context: CommandContext,
  options: MatrixSource & { readonly ed25519Only?: boolean },
): Promise<ExitCode> {
  const matrix = await readMatrix(context, options)
  const findings = checkConsumers(matrix, { ed25519Only: options.ed25519Only === true })
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const consumers = Object.keys(matrix.consumers)
  context.out.result({ ok: errors === 0, consumers, findings }, (page) => {
    for (const { severity, code, audience, message, remedy } of findings) {
      page.line(`${severity}: ${audience}: ${message} (${code})`, severity === 'error' ? 'bad' : 'warning')
      page.line(`  ${remedy}`)
    }
    const warnings = findings.length - errors
    page.line(`${count(consumers.length, 'consumer')}: ${count(errors, 'error')}, ${count(warnings, 'warning')}`)
  })
  return errors === 0 ? 0 : 1
}

interface MatrixOptions extends MatrixSource {
  readonly write?: string | true
  readonly check?: string | true
}

async function readDocument(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function matrix(context: CommandContext, options: MatrixOptions): Promise<ExitCode> {
  const { io, out } = context
  if (options.write !== undefined && options.check !== undefined) {
    throw new CliError('wrong_usage', '--write and --check exclude each other.')
  }
  const found = await readMatrix(context, options)
  const text = renderMatrix(found)
  const target = options.write ?? options.check
  if (target === undefined) {
    out.result({ matrix: found, markdown: text }, (page) => page.text(text))
    return 0
  }
  const file = resolve(io.cwd, target === true ? matrixDocument : target)
  const before = await readDocument(file)
  if (options.check !== undefined) {
    if (before === text) {
      out.result({ file, stale: false }, (page) => page.line(`${file} is what the matrix says`))
      return 0
    }
    throw new CliError('stale_document', `${file} ${before === undefined ? 'does not exist' : 'is stale'}.`)
  }
  if (before !== text) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  out.result({ file, changed: before !== text }, (page) =>
    page.line(before === text ? `${file} is up to date` : `${file} written`),
  )
  return 0
}

const source = [
  '--consumers <file>',
  'a module that exports `consumers`, or JSON (default: what the configuration says)',
] as const

export function addConsumers(program: Command, bind: Bind): void {
  const consumers = program
    .command('consumers')
    .description('The consumer matrix: who verifies tokens, for which scopes, obtained how.')

  const checkCommand = consumers
    .command('check')
    .description('Looks for what is allowed but probably not meant; exit code 1 on errors.')
  examples(checkCommand, [
    ['countersign consumers check', 'the matrix of the configuration'],
    ['countersign consumers check --consumers src/consumers.ts --ed25519-only', 'hold a fleet to Ed25519'],
  ])
  checkCommand
    .option(...source)
    .option('--ed25519-only', 'an audience that is signed for with anything else is an error')
    .action(bind(check))

  const matrixCommand = consumers.command('matrix').description('The matrix as a Markdown document.')
  examples(matrixCommand, [
    ['countersign consumers matrix', 'on stdout'],
    ['countersign consumers matrix --write', `into ${matrixDocument}`],
    ['countersign consumers matrix --check', 'for CI: exit code 1 when that file is stale'],
  ])
  matrixCommand
    .option(...source)
    .option('--write [file]', `write it (default: ${matrixDocument})`)
    .option('--check [file]', 'compare it with the file, exit code 1 when they differ')
    .action(bind(matrix))
}
