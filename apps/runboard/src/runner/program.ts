import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileKeyStore, pairRunner, runnerFetch } from '@countersign/clerk-convex/runner/node'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Board, connectBoard } from './board.ts'
import { runTask } from './run-task.ts'
import { work } from './work.ts'

export interface RunnerIo {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

interface Common {
  readonly url: string
  readonly key: string
}

/** `runboard-runner`: nothing but its private key outlives it. */
export function runnerProgram({ environment, signal, say }: RunnerIo): Command {
  const defaultKey = join(environment.HOME ?? '.', '.config', 'runboard', 'runner-key.json')
  const program = new Command('runboard-runner')
    .description('Runs on this machine what was started on a board.')
    .addOption(
      new Option('--url <url>', 'where the HTTP actions of the board are')
        .env('RUNBOARD_URL')
        .argParser(readOrigin)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--key <file>', 'where the private key rests, mode 0600').default(defaultKey))
    .exitOverride()
  const common = (): Common => program.opts<Common>()
  const keysAt = (file: string) => fileKeyStore(file, { onWarning: (warning) => say(`Mind: ${warning}`) })

  const board = (isPatient: boolean): Board => {
    const { url, key } = common()
    return connectBoard({
      url,
      fetch: runnerFetch({ url: `${url}/runner`, keys: keysAt(key) }),
      signal,
      isPatient,
      onReach: (isReached) => say(isReached ? 'The board is back.' : 'The board is out of reach; trying again.'),
    })
  }

  program
    .command('pair')
    .description('make a key, and have it let in by somebody at the board')
    .option(
      '--name <name>',
      'how people will know this machine',
      hostname()
        .replace(/[^\w.-]/g, '-')
        .slice(0, 64),
    )
    .action(async ({ name }: { name: string }) => {
      const { url, key } = common()
      const paired = await pairRunner({
        url: `${url}/runner`,
        keys: keysAt(key),
        name,
        scopes: ['run:execute'],
        signal,
        onCode: ({ userCode, verificationUrl, fingerprint, expiresInSeconds }) =>
          say(`Type ${userCode} in at ${verificationUrl}
Allow it only if the page shows the fingerprint ${fingerprint}. The code ends in ${expiresInSeconds / 60} min.`),
      })
      say(`Paired as ${name}, with ${paired.scopes.join(', ')} in ${paired.workspace}.`)
    })

  program
    .command('run')
    .description('take runs and do them, until Ctrl-C')
    .argument('<program...>', 'is given the task as its last argument: -- sh -c')
    .option('--once', 'leave after one', false)
    .action(async (command: string[], { once }: { once: boolean }) => {
      const start = (task: string) => runTask(command, task, environment)
      await work({ board: board(true), start, once, signal, say })
    })

  program
    .command('status')
    .description('ask the board who this runner is')
    .action(async () => {
      const { name, organization, workspace, scopes } = await board(false).whoAmI()
      say(`${name}: ${scopes.join(', ')} in ${workspace} of ${organization}`)
    })

  program
    .command('unpair')
    .description('remove the key: nobody can be this runner any more')
    .action(async () => {
      await rm(common().key, { force: true })
      say('The key is gone. Revoke the runner at the board too, so that it is not listed any more.')
    })
  return program
}

function readOrigin(text: string): string {
  if (!URL.canParse(text)) throw new InvalidArgumentError('It is no URL.')
  return new URL(text).origin
}
