import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { cleanLines } from './clean-text.ts'
import { addAuth } from './commands/auth.ts'
import { addBackup } from './commands/backup.ts'
import { addClients } from './commands/clients.ts'
import { addCompletion } from './commands/completion.ts'
import { addConsumers } from './commands/consumers.ts'
import { addCredentials } from './commands/credentials.ts'
import { addDb } from './commands/db.ts'
import { addDoctor } from './commands/doctor.ts'
import { addExplain } from './commands/explain.ts'
import { addInit } from './commands/init.ts'
import { addKeys } from './commands/keys.ts'
import { addServe } from './commands/serve.ts'
import { addSessions } from './commands/sessions.ts'
import { addToken } from './commands/token.ts'
import { addUsers } from './commands/users.ts'
import { type Act, type Bind, createContext, type GlobalOptions } from './context.ts'
import { type ExitCode, readFailure } from './failure.ts'
import type { CliIo } from './io.ts'
import { createOutput } from './output.ts'
import { examples } from './usage.ts'

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const found = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : ''
  return String(found)
}

function buildProgram(io: CliIo, bind: Bind): Command {
  const program = new Command('countersign')
    .description('Runs and looks after a Countersign token service.')
    .option('--config <file>', 'configuration file (default: the nearest countersign.config.ts, .js or .json)')
    .option('--json', 'print one JSON document on stdout', false)
    .option('--quiet', 'no progress or hints on stderr', false)
    .option('--debug', 'print the stack of an unexpected error', false)
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(cleanLines(withoutValues(text))),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(add --help for usage)')
    .exitOverride()
  examples(program, [
    ['countersign init', 'a token service in this directory'],
    ['countersign serve', 'start it'],
    ['countersign users add ada', 'the first user; asks for the password'],
  ])
  addInit(program, bind)
  addServe(program, bind)
  addDoctor(program, bind)
  addKeys(program, bind)
  addClients(program, bind)
  addUsers(program, bind)
  addSessions(program, bind)
  addToken(program, bind)
  addExplain(program, bind)
  addConsumers(program, bind)
  addAuth(program, bind)
  addCredentials(program, bind)
  addBackup(program, bind)
  addDb(program, bind)
  addCompletion(program, bind)
  return program
}

/** One kid in 64 begins with `-` and would be taken for an option: such a word goes behind `--`. */
function dashedKidsLast(argv: readonly string[]): string[] {
  const kids = argv.includes('--') ? [] : argv.filter((word) => /^-[\w-]{42}$/u.test(word))
  return kids.length === 0 ? [...argv] : [...argv.filter((word) => !kids.includes(word)), '--', ...kids]
}

/**
 * Runs one command.
 * @param argv what comes after the program's name
 * @returns 0 done, 1 refused or failed, 2 wrong usage; never rejects for a failing command
 */
export async function runCountersign(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  let debug = argv.includes('--debug')
  // Set as soon as the options are parsed; until then a failure can only look at the raw arguments.
  let out = createOutput(io, { json: argv.includes('--json'), quiet: false })
  const bind: Bind =
    <Args extends unknown[]>(act: Act<Args>) =>
    async (...all: [...Args, Command]) => {
      const command = all.at(-1) as Command
      const options = command.optsWithGlobals<GlobalOptions>()
      const context = createContext(io, options)
      out = context.out
      debug = options.debug
      const args = all.slice(0, -1) as unknown as Args
      exitCode = await act(context, ...args)
    }
  try {
    await buildProgram(io, bind).parseAsync(dashedKidsLast(argv), { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return usage(thrown, argv, io)
    const failure = readFailure(thrown)
    out.failure(failure, debug && thrown instanceof Error ? thrown.stack : undefined)
    if (!failure.expected && !debug) out.note('  This should not happen: run it again with --debug and report it.')
    return failure.exitCode
  }
}

/** Commander repeats words that it did not expect; one of them may be a secret, put there by mistake. */
function withoutValues(message: string): string {
  return message
    .replace(/ but got (\d+): .*\n?$/su, (_, count: string) => ` but got ${count}.\n`)
    .replace(/unknown option '(-[^=']*)=.*'/su, "unknown option '$1'")
}

/** Commander has told the user already; a program that reads stdout is told too. */
function usage(error: CommanderError, argv: readonly string[], io: CliIo): ExitCode {
  if (error.exitCode === 0) return 0
  if (argv.includes('--json')) {
    const message =
      error.code === 'commander.help'
        ? 'A command is missing.'
        : withoutValues(error.message)
            .replace(/^error: /u, '')
            .trim()
    const remedy = 'See the --help of the command.'
    io.stdout.write(`${JSON.stringify({ error: { code: 'wrong_usage', message, remedy } }, null, 2)}\n`)
  }
  return 2
}
