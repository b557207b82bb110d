import { dirname, join, resolve } from 'node:path'
import type { RestoredService, UndoneChange } from '@countersign/server'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { count } from '../count.ts'
import { type ExitCode, readFailure } from '../failure.ts'
import type { Page } from '../output.ts'
import { rowProgress } from '../progress.ts'
import type { Cell } from '../table.ts'
import { instant } from '../times.ts'
import { examples, many } from '../usage.ts'

async function backup(context: CommandContext, file: string): Promise<ExitCode> {
  const { io, out } = context
  const config = await context.loadConfig()
  const { backUpService } = await import('@countersign/server')
  const path = resolve(io.cwd, file)
  const contents = await backUpService(config, path, {
    actor: context.operator,
    clock: io.clock,
    onProgress: rowProgress(out, io.clock),
  })
  out.result({ file: path, ...contents }, (page) => {
    page.fields([
      ['backup', path],
      ['of', `${instant(contents.createdAt)} (${contents.engine})`],
      ['rows', `${contents.rows}, read back and compared`],
      ['SHA-256', contents.sha256],
    ])
  })
  out.note('The key-encryption key is not in it: keep that apart. Without it, no key of the backup can sign.')
  return 0
}

interface RestoreOptions {
  readonly force?: boolean
  readonly auditLog?: readonly string[]
}

const byHand: Readonly<Record<string, string>> = {
  'user.set_password': 'the earlier password is good again: set a new one with `countersign users set-password`',
  'user.set_scopes': 'the earlier scopes hold again: `countersign users set-scopes NAME …`',
  'client.rotate_secret': 'the earlier secret is good again: `countersign clients rotate-secret NAME --overlap 0`',
  'client.rotate_key': 'the earlier key is good again: give the client a new one',
  'user.disable': '`countersign users disable NAME`',
  'client.disable': '`countersign clients disable NAME`',
  'key.revoke': '`countersign keys revoke KID --compromised`',
}

function told(change: UndoneChange): Cell[] {
  const { state, action } = change
  const what =
    state === 'repeated' ? 'done again' : state === 'gone' ? 'not in the backup' : (byHand[action] ?? 'do it again')
  const tone = state === 'by_hand' ? 'warning' : 'plain'
  return [instant(change.at), action, change.name ?? change.id, { text: what, tone }]
}

function writeRestored(page: Page, file: string, { undone, ...restored }: RestoredService): void {
  const rows = Object.values(restored.tables).reduce((sum, of) => sum + of, 0)
  page.fields([
    ['restored', file],
    ['as of', `${instant(restored.backup.createdAt)} (${restored.backup.engine})`],
    ['rows', `${rows}, read back and compared`],
    ['global generation', `${restored.globalGeneration}: everything issued before is refused`],
    ['feed epoch', String(restored.feedEpoch)],
    ['kept', restored.keptAt ?? 'nothing was there before'],
  ])
  if (undone === undefined) return
  page.line('')
  page.line('Done after the backup, says the audit log:', 'strong')
  page.table(['when', 'what', 'whom', 'now'], undone.map(told), 'Nothing that lasts.')
}

async function restore(context: CommandContext, file: string, options: RestoreOptions): Promise<ExitCode> {
  const { io, out } = context
  const config = await context.loadConfig()
  const { restoreService } = await import('@countersign/server')
  const path = resolve(io.cwd, file)
  const stamp = new Date(io.clock.now() * 1000).toISOString().replaceAll(/[:.]/gu, '-')
  const keepAt = join(dirname(config.auditFile), `before-restore-${stamp}.backup`)
  const { fault, ...restored } = await restoreService(config, path, {
    actor: context.operator,
    clock: io.clock,
    onProgress: rowProgress(out, io.clock),
    ...(options.force === true ? { replace: { keepAt } } : {}),
    ...(options.auditLog === undefined
      ? {}
      : { auditFiles: [config.auditFile, ...options.auditLog.map((one) => resolve(io.cwd, one))] }),
  })
  const failure = fault === undefined ? null : readFailure(fault)
  const problem = failure && { code: failure.code, message: failure.message, remedy: failure.remedy ?? null }
  out.result({ file: path, ...restored, undone: restored.undone ?? null, problem }, (page) =>
    writeRestored(page, path, { ...restored, fault }),
  )
  const open = restored.undone?.filter(({ state }) => state === 'by_hand').length ?? 0
  if (restored.undone === undefined) {
    out.warning(
      'There is no audit log here: nobody can tell which keys, users and secrets were revoked, disabled or changed after ' +
        'the backup. Name a copy with --audit-log, or go through them by hand (docs/runbooks/restore-after-loss.md).',
    )
  } else if (open > 0) {
    out.warning(`${count(open, 'change')} to make again by hand before the service is started.`)
  }
  if (failure !== null) {
    out.warning(`The data is back, but the service cannot be opened with it: ${failure.message} (${failure.code})`)
    if (failure.remedy !== undefined) out.warning(failure.remedy)
    return 1
  }
  out.note('Everybody has to sign in anew. Start the service: `countersign serve`.')
  return 0
}

export function addBackup(program: Command, bind: Bind): void {
  const backupCommand = program
    .command('backup')
    .description(
      'Saves all data of the service at this instant into one new file, also while the service runs. The file fits every\n' +
        'engine. It holds password hashes and sealed keys: keep it where only operators can read and write.\n' +
        'The key-encryption key is NOT in it: keep that apart, since without it the keys of the backup cannot sign.',
    )
    .argument('<file>', 'a new file, made with mode 0600')
  examples(backupCommand, [
    ['countersign backup auth-2026-11-22.backup', ''],
    ['countersign backup "/backups/auth-$(date +%F).backup" --quiet', 'for a timer'],
  ])
  backupCommand.action(bind(backup))

  const restoreCommand = program
    .command('restore')
    .description(
      'Puts a backup in the place of the data, all of it or nothing, while no service runs. Everybody has to sign in anew:\n' +
        'what was spent or revoked after the backup would be good again otherwise. Keys revoked and users and clients\n' +
        'disabled after it, as the audit log tells, are so again; it says what has to be repeated by hand.\n' +
        'The key-encryption key is not in a backup: put it in its place first.',
    )
    .argument('<file>', 'made by `countersign backup`')
  examples(restoreCommand, [
    ['countersign restore auth-2026-11-22.backup', 'into an empty database, or where there is none'],
    ['countersign restore auth-2026-11-22.backup --force', 'what is there is kept beside the audit log, as a backup'],
    ['countersign restore auth.backup --audit-log other.jsonl', 'other instances recorded what they did, too'],
  ])
  restoreCommand
    .option('--force', 'replace the data that is there; it is kept as a backup')
    .option('--audit-log <file>', 'a further audit log to look into; may be given several times', many)
    .action(bind(restore))
}
