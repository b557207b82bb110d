import type { BlastRadius, Keys } from '@countersign/issuer'
import { type Command, Option } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { kidArgument } from '../key-options.ts'
import type { Page } from '../output.ts'
import type { Cell } from '../table.ts'
import { fromNow } from '../times.ts'
import { examples } from '../usage.ts'

interface RevokeOptions {
  readonly compromised?: boolean
  readonly scope: 'key' | 'store'
  readonly reason?: string
  readonly dryRun?: boolean
}

function writeRadius(page: Page, { scope, rings, live }: BlastRadius, now: number): void {
  page.line(
    scope === 'key'
      ? 'what goes with this key:'
      : 'what goes with the store, every private key of it counting as known:',
    'strong',
  )
  for (const { ring, kids } of rings) for (const kid of kids) page.line(`  ${ring}: ${kid}`)
  const rows = live.map(({ audience, kid, tokens, until }): Cell[] => [
    audience,
    kid,
    String(tokens),
    fromNow(until, now),
  ])
  page.table(['consumer', 'kid', 'tokens', 'last expires'], rows, 'No living token was signed by them.')
}

type Revoked = Awaited<ReturnType<Keys['revoke']>>['revoked']

function writeRevoked(page: Page, revoked: Revoked): void {
  for (const { ring, revokedKids, activeKid } of revoked) {
    page.line(`${ring}: ${revokedKids.length} revoked; ${activeKid} signs now`)
  }
}

async function revoke(context: CommandContext, kid: string, options: RevokeOptions): Promise<ExitCode> {
  const { io, out } = context
  if (!options.compromised && !options.dryRun) {
    throw new CliError('wrong_usage', 'A key is revoked only when it is compromised: say so with --compromised.', {
      remedy: '`countersign keys rotate` replaces a key that is well. See what would go with --dry-run.',
    })
  }
  return await context.withService(async ({ issuer }) => {
    const radius = await issuer.keys.blastRadius(kid, options.scope)
    if (options.dryRun) {
      out.result({ dryRun: true, ...radius }, (page) => writeRadius(page, radius, io.clock.now()))
      return 0
    }
    // Before anything is done: whoever stops the command here has lost nothing.
    out.preview((page) => writeRadius(page, radius, io.clock.now()))
    const reason = options.reason ?? 'compromised'
    const { revoked } = await issuer.keys.revoke(kid, { reason, scope: options.scope, actor: context.operator })
    out.result({ dryRun: false, ...radius, revoked }, (page) => writeRevoked(page, revoked))
    out.note('Verifiers that follow the revocation feed refuse these keys within a second, and hold the new ones.')
    return 0
  })
}

export function addKeysRevoke(keys: Command, bind: Bind): void {
  const command = keys
    .command('revoke')
    .description(
      'After a compromise: withdraws keys at once and for good, and tells every verifier, with the key that signs instead.\n' +
        'People stay signed in: refresh tokens are not signed.',
    )
    .argument('<kid>', 'the whole id, from `keys list`', kidArgument)
  examples(command, [
    ['countersign keys revoke KID --dry-run', 'what would be refused, by consumer'],
    ["countersign keys revoke KID --compromised --reason 'INC-42'", 'the store may have leaked: all keys go'],
    ['countersign keys revoke KID --compromised --scope key', 'only this key has leaked'],
  ])
  command
    .option('--compromised', 'yes: somebody else may have the key')
    .addOption(
      new Option('--scope <scope>', 'what has leaked: the one key, or the store with every key of every ring')
        .choices(['key', 'store'])
        .default('store'),
    )
    .option('--reason <text>', 'why; goes into the audit log')
    .option('--dry-run', 'show what would go, change nothing')
    .action(bind(revoke))
}
