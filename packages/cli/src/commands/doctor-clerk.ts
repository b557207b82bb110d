import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { checkAuthConfig } from '../doctor/check-auth-config.ts'
import { checkClerkSettings } from '../doctor/check-clerk.ts'
import { checkClerkInstance } from '../doctor/check-clerk-instance.ts'
import { type ClerkFlags, readClerkSettings } from '../doctor/clerk-settings.ts'
import { report } from '../doctor/report.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { examples, many } from '../usage.ts'

interface DoctorClerkOptions extends ClerkFlags {
  readonly authConfig?: string
  readonly online: boolean
}

type Checks = typeof import('@countersign/clerk-convex/environment')

const subpath = '@countersign/clerk-convex/environment'

/**
 * The checks are those of the project's own `@countersign/clerk-convex`: who has no Clerk installs none of it.
 * @throws CliError `not_found`
 */
async function loadChecks(cwd: string): Promise<Checks> {
  try {
    return await import('@countersign/clerk-convex/environment')
  } catch {
    // A command line that is installed elsewhere, such as globally: the project's then.
  }
  try {
    return await import(pathToFileURL(createRequire(join(cwd, 'package.json')).resolve(subpath)).href)
  } catch (cause) {
    throw new CliError('not_found', 'There is no @countersign/clerk-convex in this project.', {
      cause,
      remedy: 'Run this where your project is, after `npm install @countersign/clerk-convex`.',
    })
  }
}

async function doctorClerk(context: CommandContext, options: DoctorClerkOptions): Promise<ExitCode> {
  const { io } = context
  const settings = await readClerkSettings(options, io)
  const { checkClerkEnvironment, assertNoOverlap } = await loadChecks(io.cwd)
  const findings = checkClerkSettings(settings, checkClerkEnvironment)
  if (options.authConfig !== undefined) {
    context.out.note(`auth.config: ${options.authConfig}`)
    findings.push(...(await checkAuthConfig(options.authConfig, settings.environment.issuer, assertNoOverlap, io)))
  }
  if (options.online) findings.push(...(await checkClerkInstance(settings, io)))
  return report(context, findings)
}

export function addDoctorClerk(doctor: Command, bind: Bind): void {
  const command = doctor
    .command('clerk')
    .description(
      "Checks the settings of Clerk, and of Convex's auth.config, for dev, staging or prod; shows no value.\n" +
        'Secrets come from the environment or a file only: CLERK_SECRET_KEY, CLERK_WEBHOOK_SIGNING_SECRET.',
    )
    .option('--stage <stage>', 'dev, staging or prod (default: CLERK_STAGE)')
    .option('--env-file <file>', 'read variables from a file such as .env.production as well')
    .option('--publishable-key <key>', 'default: CLERK_PUBLISHABLE_KEY')
    .option('--issuer <url>', 'the Frontend API URL (default: CLERK_ISSUER)')
    .option('--authorized-party <origin>', 'a site of yours; repeatable (default: CLERK_AUTHORIZED_PARTIES)', many)
    .option('--auth-config <file>', "Convex's auth.config.ts, or .json; a module is run")
    .option('--online', 'ask Clerk too: its keys, and whose the secret key is', false)
  examples(command, [
    [
      'countersign doctor clerk --stage prod',
      'a report, without the network; exit code 1 when something must be put right',
    ],
    ['countersign doctor clerk --stage staging --env-file .env.staging', 'what a deployment will be given'],
    [
      'countersign doctor clerk --stage dev --auth-config convex/auth.config.ts',
      'overlapping and missing providers as well',
    ],
    ['countersign doctor clerk --stage prod --online --json', "with Clerk's own answer, for programs"],
  ])
  command.action(bind(doctorClerk))
}
