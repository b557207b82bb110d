import { resolve } from 'node:path'
import type { CopyOptions } from '@countersign/server'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { rowProgress } from '../progress.ts'
import { examples } from '../usage.ts'

interface CopyCommandOptions {
  readonly from?: string
  readonly to: string
  readonly fromPasswordFile?: string
  readonly toPasswordFile?: string
  readonly dryRun?: boolean
}

/** Where every process of the machine can read it. */
function refusePassword(address: string | undefined): void {
  if (address !== undefined && /^postgres(ql)?:\/\/[^@/?#]*:[^@/?#]*@/u.test(address)) {
    throw new CliError('wrong_usage', 'A password does not belong on the command line.', {
      remedy: 'Put it into a file (mode 0600) and name that with --from-password-file or --to-password-file.',
    })
  }
}

async function copy(context: CommandContext, options: CopyCommandOptions): Promise<ExitCode> {
  const { io, out } = context
  refusePassword(options.from)
  refusePassword(options.to)
  const config = await context.loadConfig()
  const { copyServiceDatabase, planServiceCopy } = await import('@countersign/server')
  const given: CopyOptions = {
    to: options.to,
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.fromPasswordFile === undefined ? {} : { fromPasswordFile: resolve(io.cwd, options.fromPasswordFile) }),
    ...(options.toPasswordFile === undefined ? {} : { toPasswordFile: resolve(io.cwd, options.toPasswordFile) }),
    actor: context.operator,
    onProgress: rowProgress(out, io.clock),
  }
  if (options.dryRun === true) {
    const plan = await planServiceCopy(config, given)
    const ready = !plan.from.isInUse && plan.to.state !== 'not_empty'
    out.result({ dryRun: true, ready, ...plan }, (page) => {
      const use = plan.from.isInUse ? { text: 'in use: stop the service first', tone: 'warning' as const } : 'at rest'
      const states = { missing: 'will be made', empty: 'empty', not_empty: 'not empty: choose another' }
      page.fields([
        ['from', plan.from.place],
        ['', use],
        ['to', plan.to.place],
        ['', { text: states[plan.to.state], tone: plan.to.state === 'not_empty' ? 'warning' : 'plain' }],
      ])
      const rows = Object.entries(plan.tables).map(([table, number]) => [table, String(number)])
      page.table(['table', 'rows'], rows, 'There is nothing to copy.')
    })
    return ready ? 0 : 1
  }
  const copied = await copyServiceDatabase(config, given)
  out.result({ dryRun: false, ...copied }, (page) => {
    const rows = Object.entries(copied.tables).map(([table, tally]) => [table, String(tally.rows), tally.digest])
    page.table(['table', 'rows', 'digest, the same on both sides'], rows, 'There was nothing to copy.')
  })
  out.note('Nobody is signed out. Point the configuration at the copy, and never start a service on the old one again.')
  return 0
}

export function addDb(program: Command, bind: Bind): void {
  const db = program.command('db').description("The service's database.")

  const copyCommand = db
    .command('copy')
    .description(
      'Copies everything into an empty database of either engine, in one transaction, and compares it. Sessions stay: this\n' +
        'is a move, not a restore. No service may run on either of them.',
    )
  examples(copyCommand, [
    ['countersign db copy --to postgres://auth@db.example.com/auth --to-password-file pw --dry-run', ''],
    ['countersign db copy --to postgres://auth@db.example.com/auth --to-password-file pw', ''],
    ['countersign db copy --from postgres://auth@localhost/auth --to sqlite:data/countersign.db', 'back again'],
  ])
  copyCommand
    .option('--from <address>', 'sqlite:PATH or postgres://user@host/database (default: the one of the configuration)')
    .requiredOption('--to <address>', 'an empty database, or one that is not there yet')
    .option('--from-password-file <file>', "the password of --from's role: one line, mode 0600")
    .option('--to-password-file <file>', "the password of --to's role, likewise")
    .option('--dry-run', 'say what would be copied, and whether it can be; change nothing')
    .action(bind(copy))
}
