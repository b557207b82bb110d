import { randomBytes } from 'node:crypto'
import { sharedPasswordBounds, sharedPasswordFault } from '@countersign/issuer'
import { ConfigError, runService } from '@countersign-apps/kit'
import { readConfig } from './config.ts'
import { exposedAt } from './password/exposed-at.ts'
import { passwordVariable } from './password/leave-environment.ts'
import { takePassword } from './password/take-password.ts'
import { type RunningCmux, startCmux } from './start-cmux.ts'

const usage = `cmux: a live feed and commands, behind one password, on localhost.

  cmux               start; the password comes from ${passwordVariable}
  cmux password      print a new password
  cmux --help

  ${passwordVariable}=… cmux
  ${passwordVariable}_FD=0 cmux <password-file       from a file descriptor instead

Everything else is set by variables too: CMUX_PORT, CMUX_HOST, CMUX_PUBLIC_URL, CMUX_TLS_CERT, CMUX_TLS_KEY,
CMUX_DATA_DIR, CMUX_WORKDIR, CMUX_COMMAND_ENV, CMUX_COMMAND_SECONDS, CMUX_COMMANDS_AT_ONCE, CMUX_LOG_LEVEL.
`

const howToMakeOne = `
Make one, keep it where you keep passwords, and give it to cmux alone:

  ${passwordVariable}="$(openssl rand -base64 24)" cmux

It needs ${sharedPasswordBounds.min} characters and must not be guessable; cmux password prints one, too.
`

const giveItToCmuxAlone = `
Give it to cmux alone, not to what starts cmux:

  ${passwordVariable}="$(…)" node apps/cmux/dist/main.js
  ${passwordVariable}_FD=0 npm start <password-file
`

/** @throws ConfigError when there is none that can be used */
function readPassword(variables: NodeJS.ProcessEnv): string {
  const password = takePassword(variables) ?? variables[passwordVariable] ?? ''
  delete variables[passwordVariable]
  if (password === '') {
    throw new ConfigError([`${passwordVariable} is not set: cmux does not start without a password.`, howToMakeOne])
  }
  const fault = sharedPasswordFault(password)
  if (fault !== undefined) throw new ConfigError([`${passwordVariable} is too weak: ${fault}.`, howToMakeOne])
  const exposures = exposedAt(password)
  if (exposures.length > 0) {
    const where = exposures.map(({ pid, name }) => `process ${pid} (${name})`).join(', ')
    const what = `Every command that cmux runs could read the password: it is in the environment of ${where}.`
    throw new ConfigError([what, giveItToCmuxAlone])
  }
  return password
}

async function start(variables: NodeJS.ProcessEnv): Promise<RunningCmux> {
  const running = await startCmux(readConfig(variables), readPassword(variables))
  process.stdout.write(`cmux is at ${running.publicUrl}\n`)
  if (running.password === 'changed') {
    process.stdout.write('Another password than the last time: every token of before has ended.\n')
  }
  return running
}

/** What was asked for on the command line. Resolves when it is done, and sets the exit code. */
export async function run(words: readonly string[], variables: NodeJS.ProcessEnv): Promise<void> {
  const [word = 'start', ...more] = words
  if (more.length === 0 && word === 'start') return runService(() => start(variables))
  if (more.length === 0 && word === 'password') {
    process.stdout.write(`${randomBytes(24).toString('base64url')}\n`)
  } else if (more.length === 0 && (word === '--help' || word === '-h')) {
    process.stdout.write(usage)
  } else {
    process.stderr.write(usage)
    process.exitCode = 2
  }
}
