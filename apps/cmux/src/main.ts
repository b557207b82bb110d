#!/usr/bin/env node
import { randomBytes } from 'node:crypto'
import { isIssuerError, sharedPasswordBounds, sharedPasswordFault } from '@countersign/issuer'
import { ConfigError, readConfig } from './config.ts'
import { exposedAt } from './password/exposed-at.ts'
import { leaveEnvironment, PasswordError, passwordVariable, takePassword } from './password/take-password.ts'
import { startCmux } from './start-cmux.ts'

const usage = `cmux: a live feed and commands, behind one password, on localhost.

  cmux               start; the password comes from ${passwordVariable}
  cmux password      print a new password
  cmux --help

  ${passwordVariable}=… cmux
  ${passwordVariable}_FD=0 cmux <password-file       from a file descriptor instead

Everything else is set by variables too: CMUX_PORT, CMUX_HOST, CMUX_PUBLIC_URL, CMUX_TLS_CERT, CMUX_TLS_KEY,
CMUX_DATA_DIR, CMUX_WORKDIR, CMUX_COMMAND_ENV, CMUX_COMMAND_SECONDS, CMUX_COMMANDS_AT_ONCE, CMUX_LOG_LEVEL.
`

const howToMakeOne = `Make one, keep it where you keep passwords, and give it to cmux alone:

  ${passwordVariable}="$(openssl rand -base64 24)" cmux

It needs ${sharedPasswordBounds.min} characters and must not be guessable; cmux password prints one, too.
`

const exitCodes = { done: 0, failed: 1, refused: 2 } as const

class Refused extends Error {
  override readonly name = 'Refused'
}

function readPassword(): string {
  if ((process.env[passwordVariable] ?? '') !== '') leaveEnvironment()
  const password = takePassword() ?? process.env[passwordVariable] ?? ''
  delete process.env[passwordVariable]
  if (password === '')
    throw new Refused(`${passwordVariable} is not set: cmux does not start without a password.\n\n${howToMakeOne}`)
  const fault = sharedPasswordFault(password)
  if (fault !== undefined) throw new Refused(`${passwordVariable} is too weak: ${fault}.\n\n${howToMakeOne}`)
  const exposures = exposedAt(password)
  if (exposures.length > 0) {
    const where = exposures.map(({ pid, name }) => `process ${pid} (${name})`).join(', ')
    throw new Refused(
      `Every command that cmux runs could read the password: it is in the environment of ${where}.\nGive it to cmux alone, not to what starts cmux:\n\n  ${passwordVariable}="$(…)" node apps/cmux/dist/main.js\n  ${passwordVariable}_FD=0 npm start <password-file\n`,
    )
  }
  return password
}

async function start(): Promise<void> {
  const running = await startCmux(readConfig(process.env), readPassword())
  process.stdout.write(`cmux is at ${running.publicUrl}\n`)
  if (running.password === 'changed')
    process.stdout.write('Another password than the last time: every token of before has ended.\n')
  const stop = async (): Promise<void> => {
    // A second signal finds no listener, so it ends the process at once.
    process.off('SIGTERM', stop).off('SIGINT', stop)
    await running.close()
  }
  process.once('SIGTERM', stop).once('SIGINT', stop)
}

async function main(words: readonly string[]): Promise<number> {
  const [word, ...more] = words
  if (more.length > 0 || (word !== undefined && !['start', 'password', '--help', '-h'].includes(word))) {
    process.stderr.write(usage)
    return exitCodes.refused
  }
  if (word === '--help' || word === '-h') {
    process.stdout.write(usage)
    return exitCodes.done
  }
  if (word === 'password') {
    process.stdout.write(`${randomBytes(24).toString('base64url')}\n`)
    return exitCodes.done
  }
  try {
    await start()
    return exitCodes.done
  } catch (error) {
    process.stderr.write(`${sayError(error)}\n`)
    const isRefusal = error instanceof Refused || error instanceof ConfigError || error instanceof PasswordError
    return isRefusal ? exitCodes.refused : exitCodes.failed
  }
}

function sayError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const remedy = isIssuerError(error) || 'remedy' in error ? `\n${String(error.remedy)}` : ''
  return `${error.message}${remedy}`
}

process.exitCode = await main(process.argv.slice(2))
