import { checkConsumers } from '@countersign/consumers'
import type { ResolvedConfig } from '@countersign/server'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { count } from '../count.ts'
import { checkAddress } from '../doctor/check-address.ts'
import { checkFiles } from '../doctor/check-files.ts'
import { checkKeys } from '../doctor/check-keys.ts'
import { error, type Finding, ok } from '../doctor/finding.ts'
import { report } from '../doctor/report.ts'
import { type ExitCode, readFailure } from '../failure.ts'
import { examples } from '../usage.ts'
import { addDoctorClerk } from './doctor-clerk.ts'

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
  return report(context, await examine(context))
}

export function addDoctor(program: Command, bind: Bind): void {
  const command = program
    .command('doctor')
    .usage('[options]')
    .description('Checks configuration, files, keys, store, consumers, address and clock; says what to do.')
  examples(command, [
    ['countersign doctor', 'a report; exit code 1 when something must be put right'],
    ['countersign doctor --json', 'the findings for programs'],
    ['countersign doctor clerk --stage prod', 'the settings of Clerk and Convex instead'],
  ])
  command.action(bind(doctor))
  addDoctorClerk(command, bind)
}
