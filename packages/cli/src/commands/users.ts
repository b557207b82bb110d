import type { UserInfo } from '@countersign/issuer'
import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import type { Page } from '../output.ts'
import { readSecret } from '../read-secret.ts'
import type { Cell } from '../table.ts'
import { instant } from '../times.ts'
import { examples } from '../usage.ts'

function newPassword(context: CommandContext, name: string): Promise<string> {
  return readSecret(context.io, { what: 'password', message: `Password for ${name}`, confirm: true })
}

interface AddOptions {
  readonly synthetic?: boolean
  readonly scope?: readonly string[]
}

async function add(context: CommandContext, name: string, options: AddOptions): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    // Asked for once the store is open: nobody should type a password only to hear that there is no configuration.
    const password = await newPassword(context, name)
    const user = await issuer.users.add({
      identifier: name,
      password,
      ...(options.synthetic ? { synthetic: true } : {}),
      ...(options.scope === undefined ? {} : { scopes: options.scope }),
      actor: context.operator,
    })
    context.out.result({ user }, (page) =>
      page.fields([
        ['user', user.identifier],
        ['id', user.id],
        ['scopes', scopesText(user)],
      ]),
    )
    return 0
  })
}

/** What a sign-in may get. */
function scopesText({ scopes }: Pick<UserInfo, 'scopes'>): string {
  if (scopes === null) return 'all of the client'
  return scopes.length === 0 ? 'none' : scopes.join(' ')
}

function writeUsers(page: Page, users: readonly UserInfo[]): void {
  const rows = users.map((user): Cell[] => [
    user.identifier,
    user.id,
    instant(user.createdAt),
    scopesText(user),
    user.disabledAt === null
      ? { text: 'active', tone: 'good' }
      : { text: `disabled ${instant(user.disabledAt)}`, tone: 'bad' },
  ])
  page.table(
    ['name', 'id', 'created', 'scopes', 'state'],
    rows,
    'There are no users; `countersign users add NAME` adds one.',
  )
}

async function list(context: CommandContext): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const { allPages } = await import('@countersign/issuer')
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

async function setScopes(
  context: CommandContext,
  name: string,
  scopes: readonly string[],
  { all = false, none = false }: { readonly all?: boolean; readonly none?: boolean },
): Promise<ExitCode> {
  if ([scopes.length > 0, all, none].filter(Boolean).length !== 1) {
    throw new CliError('wrong_usage', 'Give scopes, --all or --none: one of the three.')
  }
  const wanted = all ? null : scopes
  return await context.withService(async ({ issuer }) => {
    await issuer.users.setScopes(name, wanted, { actor: context.operator })
    context.out.result({ user: name, scopes: wanted }, (page) =>
      page.line(`${name} may get ${scopesText({ scopes: wanted })}; every session of theirs has ended`),
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
    ['countersign users add ada --scope agents:read chat:write', 'no more than these'],
  ])
  addCommand
    .option('--scope <scopes...>', 'the most that a sign-in gets (default: all that its client may have)')
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

  const scopesCommand = users
    .command('set-scopes')
    .description('Sets the most that a sign-in gets, and ends every session of the user.')
    .argument('<name>')
    .argument('[scopes...]')
  examples(scopesCommand, [
    ['countersign users set-scopes ada agents:read', 'no more than this'],
    ['countersign users set-scopes ada --all', 'all that a client may have'],
  ])
  scopesCommand
    .option('--all', 'no limit of the user’s own: all that a client may have')
    .option('--none', 'no scope at all')
    .action(bind(setScopes))

  const passwordCommand = users
    .command('set-password')
    .description('Sets a new password, from a prompt or stdin, and ends every session of the user.')
    .argument('<name>')
  examples(passwordCommand, [['countersign users set-password ada', 'asks for the password twice']])
  passwordCommand.action(bind(setPassword))
}
