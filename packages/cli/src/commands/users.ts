import type { UserInfo } from '@countersign/issuer'
import type { Command } from 'commander'
import { allPages } from '../all-pages.ts'
import type { Bind, CommandContext } from '../context.ts'
import type { ExitCode } from '../failure.ts'
import type { Page } from '../output.ts'
import { readSecret } from '../read-secret.ts'
import type { Cell } from '../table.ts'
import { instant } from '../times.ts'
import { examples } from '../usage.ts'

function newPassword(context: CommandContext, name: string): Promise<string> {
  return readSecret(context.io, { what: 'password', message: `Password for ${name}`, confirm: true })
}

async function add(context: CommandContext, name: string, options: { synthetic?: boolean }): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    // Asked for once the store is open: nobody should type a password only to hear that there is no configuration.
    const password = await newPassword(context, name)
    const user = await issuer.users.add({
      identifier: name,
      password,
      ...(options.synthetic ? { synthetic: true } : {}),
      actor: context.operator,
    })
    context.out.result({ user }, (page) =>
      page.fields([
        ['user', user.identifier],
        ['id', user.id],
      ]),
    )
    return 0
  })
}

function writeUsers(page: Page, users: readonly UserInfo[]): void {
  const rows = users.map((user): Cell[] => [
    user.identifier,
    user.id,
    instant(user.createdAt),
    user.disabledAt === null
      ? { text: 'active', tone: 'good' }
      : { text: `disabled ${instant(user.disabledAt)}`, tone: 'bad' },
  ])
  page.table(['name', 'id', 'created', 'state'], rows, 'There are no users; `countersign users add NAME` adds one.')
}

async function list(context: CommandContext): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const users = await allPages(
      (page) => issuer.users.list(page),
      (user) => user.identifier,
    )
    context.out.result({ users }, (page) => writeUsers(page, users))
    return 0
  })
}

async function disable(context: CommandContext, name: string): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    await issuer.users.disable(name, { actor: context.operator })
    context.out.result({ user: name, disabled: true }, (page) =>
      page.line(`${name} is disabled; every session of theirs has ended`),
    )
    return 0
  })
}

async function setPassword(context: CommandContext, name: string): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const password = await newPassword(context, name)
    await issuer.users.setPassword(name, password, { actor: context.operator })
    context.out.result({ user: name, passwordSet: true }, (page) =>
      page.line(`${name} has a new password; every session of theirs has ended`),
    )
    return 0
  })
}

export function addUsers(program: Command, bind: Bind): void {
  const users = program.command('users').description('The people who sign in.')

  const addCommand = users
    .command('add')
    .description('Adds a user. The password comes from a prompt, or from stdin.')
    .argument('<name>', 'what they will type to sign in, such as a mail address')
  examples(addCommand, [
    ['countersign users add ada', 'asks for the password twice'],
    ['countersign users add ada < password.txt', 'one line from stdin'],
  ])
  addCommand
    .option('--synthetic', 'a monitor’s account: its tokens are refused for scopes with side effects')
    .action(bind(add))

  const listCommand = users.command('list').description('All users.')
  examples(listCommand, [['countersign users list --json', 'for programs']])
  listCommand.action(bind(list))

  const disableCommand = users
    .command('disable')
    .description('Lets a user sign in no more and ends every session of theirs.')
    .argument('<name>')
  examples(disableCommand, [['countersign users disable ada', '']])
  disableCommand.action(bind(disable))

  const passwordCommand = users
    .command('set-password')
    .description('Sets a new password, from a prompt or stdin, and ends every session of the user.')
    .argument('<name>')
  examples(passwordCommand, [['countersign users set-password ada', 'asks for the password twice']])
  passwordCommand.action(bind(setPassword))
}
