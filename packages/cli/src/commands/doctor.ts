import { checkConsumers } from '@countersign/consumers'
import type { ResolvedConfig } from '@countersign/server'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { count } from '../count.ts'
import { checkAddress } from '../doctor/check-address.ts'
import { checkFiles } from '../doctor/check-files.ts'
import { checkKeys } from '../doctor/check-keys.ts'
import { error, type Finding, type Level, ok } from '../doctor/finding.ts'
import { type ExitCode, readFailure } from '../failure.ts'
import type { Tone } from '../table.ts'
import { examples } from '../usage.ts'

const tones: Readonly<Record<Level, Tone>> = { ok: 'good', warning: 'warning', error: 'bad' }

/** A failure as a finding: what a command would have said of it. */
function failed(check: Finding['check'], thrown: unknown, where: string): Finding {
  const { message, remedy } = readFailure(thrown)
  return error(check, message, where, remedy ?? 'Run this again with --debug and report it.')
}

function consumerFindings(config: ResolvedConfig): Finding[] {
  const findings = checkConsumers(config.consumers).map(
    ({ severity, message, audience, remedy }): Finding => ({
      check: 'consumers',
      level: severity,
      what: message,
      where: `consumer ${audience}`,
      remedy,
    }),
  )
  if (findings.length > 0) return findings
  const consumers = Object.keys(config.consumers.consumers).length
  return [
    ok('consumers', `The matrix of ${count(consumers, 'consumer')} is consistent.`, config.file ?? 'configuration'),
  ]
}

async function kekFinding(config: ResolvedConfig): Promise<Finding> {
  const { kekOf } = await import('@countersign/server')
  try {
    const kek = await kekOf(config).current()
    kek.secret.fill(0)
    return ok('key-encryption key', `The key-encryption key ${kek.id} can be read.`, config.kekFile)
  } catch (thrown) {
    return failed('key-encryption key', thrown, config.kekFile)
  }
}

/** Opens the store with all its rings: the key-encryption key must open the active key of each. */
async function storeFindings(context: CommandContext, config: ResolvedConfig): Promise<Finding[]> {
  const { databaseOf, openTokenService } = await import('@countersign/server')
  let place = config.databaseFile
  try {
    place = (await databaseOf(config)).place
    const service = await openTokenService(config, { clock: context.io.clock })
    try {
      await service.check()
      return [
        ok('store', 'The store can be read and written, and its keys can be opened.', place),
        ...checkKeys(
          service.rings.map((ring) => ring.status()),
          context.io.clock.now(),
        ),
      ]
    } finally {
      await service.close()
    }
  } catch (thrown) {
    return [failed('store', thrown, place)]
  }
}

async function examine(context: CommandContext): Promise<Finding[]> {
  let config: ResolvedConfig
  try {
    config = await context.loadConfig()
  } catch (thrown) {
    return [failed('configuration', thrown, context.options.config ?? context.io.cwd)]
  }
  const findings = [ok('configuration', 'The configuration is complete.', config.file ?? 'environment')]
  findings.push(...(await checkFiles(config)))
  // A missing store would be told of twice, and must not be made by a check.
  if (findings.every(({ level }) => level !== 'error')) {
    const kek = await kekFinding(config)
    findings.push(kek)
    if (kek.level !== 'error') findings.push(...(await storeFindings(context, config)))
  }
  findings.push(...consumerFindings(config), ...(await checkAddress(config, context.io)))
  return findings
}

async function doctor(context: CommandContext): Promise<ExitCode> {
  const findings = await examine(context)
  const howMany = (level: Level): number => findings.filter((finding) => finding.level === level).length
  const errors = howMany('error')
  context.out.result({ ok: errors === 0, findings }, (page) => {
    page.table(
      ['check', 'result', 'what', 'where'],
      findings.map(({ check, level, what, where }) => [check, { text: level, tone: tones[level] }, what, where]),
      '',
    )
    for (const { level, what, remedy } of findings) {
      if (remedy === null) continue
      page.line('')
      page.line(`${level}: ${what}`, tones[level])
      page.line(`  ${remedy}`)
    }
    page.line('')
    page.line(`${count(errors, 'error')}, ${count(howMany('warning'), 'warning')}`)
  })
  return errors === 0 ? 0 : 1
}

export function addDoctor(program: Command, bind: Bind): void {
  const command = program
    .command('doctor')
    .description('Checks configuration, files, keys, store, consumers, address and clock; says what to do.')
  examples(command, [
    ['countersign doctor', 'a report; exit code 1 when something must be put right'],
    ['countersign doctor --json', 'the findings for programs'],
  ])
  command.action(bind(doctor))
}
