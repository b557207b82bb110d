import type { Principal } from '@countersign/tokens'
import { type Command, Option } from 'commander'
import { checkToken } from '../check-token.ts'
import type { Bind, CommandContext } from '../context.ts'
import { decodeToken, explainShape } from '../decode-token.ts'
import { CliError, type ExitCode } from '../failure.ts'
import { readToken } from '../read-token.ts'
import type { Cell } from '../table.ts'
import { fromNow, instant } from '../times.ts'
import { examples, many } from '../usage.ts'
import { checkOptions, profiles, type VerificationOptions, withVerification } from '../verification.ts'

interface FromFile {
  readonly file?: string
}

interface IssueOptions {
  readonly client: string
  readonly audience?: string
  readonly scope?: readonly string[]
}

async function issue(context: CommandContext, options: IssueOptions): Promise<ExitCode> {
  return await context.withService(async ({ issuer }) => {
    const answer = await issuer.issueToken(options.client, {
      ...(options.audience === undefined ? {} : { audience: options.audience }),
      ...(options.scope === undefined ? {} : { scope: options.scope.join(' ') }),
      actor: context.operator,
    })
    const { accessToken, expiresInSeconds, audience, scope, clientId } = answer
    const document = { accessToken, tokenType: 'Bearer', expiresInSeconds, audience, scope, clientId }
    // The token alone, so that it can be piped on.
    context.out.result(document, (page) => page.line(accessToken))
    context.out.note(`for ${audience}, valid for ${expiresInSeconds} s, scope: ${scope || '(none)'}`)
    return 0
  })
}

const instants: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf'])

function claimText(name: string, value: unknown, now: number): string {
  if (instants.has(name) && typeof value === 'number') return `${instant(value)} (${fromNow(value, now)})`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

async function inspect(context: CommandContext, options: FromFile): Promise<ExitCode> {
  const { io, out } = context
  const token = await readToken(io, options.file)
  const { header, claims } = decodeToken(token)
  if (header === undefined || claims === undefined) {
    throw new CliError('bad_input', 'This is no JWT that could be read.', {
      remedy: explainShape(token) ?? 'Give the token exactly as it was issued: three base64url segments.',
    })
  }
  out.result({ verified: false, header, claims }, (page) => {
    const fields = (part: Readonly<Record<string, unknown>>): (readonly [string, Cell])[] =>
      Object.entries(part).map(([name, value]) => [name, claimText(name, value, io.clock.now())])
    page.line('header', 'strong')
    page.fields(fields(header))
    page.line('')
    page.line('claims', 'strong')
    page.fields(fields(claims))
  })
  out.note('Nothing of this was checked: `countersign token verify` does.')
  return 0
}

function describePrincipal(principal: Principal): Record<string, unknown> {
  const { issuer, subject, clientId, audience, session, tokenId, keyId, issuedAt, expiresAt } = principal
  return {
    issuer,
    subject,
    clientId: clientId ?? null,
    audience,
    scopes: [...principal.scopes],
    session: session ?? null,
    tokenId: tokenId ?? null,
    keyId,
    issuedAt: issuedAt ?? null,
    expiresAt,
  }
}

async function verify(context: CommandContext, options: FromFile & VerificationOptions): Promise<ExitCode> {
  const { io, out } = context
  checkOptions(options)
  const token = await readToken(io, options.file)
  return await withVerification(context, options, token, async (settings) => {
    const principal = await checkToken(io, token, settings)
    if (settings.audienceUnchecked) out.warning('the audience was not checked: name yours with --audience')
    const document = describePrincipal(principal)
    out.result({ accepted: true, revocationChecked: settings.isActive !== undefined, principal: document }, (page) => {
      page.line('accepted', 'good')
      page.fields([
        ['subject', principal.subject],
        ['client', principal.clientId ?? ''],
        ['audience', principal.audience],
        ['scopes', [...principal.scopes].join(' ')],
        ['session', principal.session ?? ''],
        ['expires', `${instant(principal.expiresAt)} (${fromNow(principal.expiresAt, io.clock.now())})`],
        ['key', principal.keyId],
      ])
    })
    return 0
  })
}

async function revoke(context: CommandContext, options: FromFile): Promise<ExitCode> {
  const token = await readToken(context.io, options.file)
  return await context.withService(async ({ issuer }) => {
    const revoked = await issuer.revokeToken(token, { actor: context.operator })
    if (!revoked) {
      throw new CliError('not_found', 'There was nothing to revoke: this is no living token of this issuer.', {
        remedy: '`countersign explain` says why. A token that is expired or revoked already is refused anyway.',
      })
    }
    context.out.result({ revoked: true }, (page) => page.line('revoked'))
    return 0
  })
}

/** The options of everything that takes a token. */
export function tokenOptions(command: Command): Command {
  return command.option('--file <file>', 'read the token from this file instead of stdin')
}

/** The options of everything that holds a token against an issuer. */
export function verificationOptions(command: Command): Command {
  return tokenOptions(command)
    .option('--issuer <url>', 'the issuer that it must come from (default: this installation)')
    .option('--audience <name>', "the audience that it must be for (default: the token's own, if the matrix has it)")
    .option('--jwks <place>', "the issuer's keys: a URL or a file (default: what the issuer publishes)")
    .addOption(
      new Option('--profile <name>', "with --issuer: how that issuer's tokens differ from ours").choices(
        Object.keys(profiles),
      ),
    )
}

export function addToken(program: Command, bind: Bind): void {
  const token = program
    .command('token')
    .description('Access tokens: from stdin or a file, never from the command line.')

  const issueCommand = token
    .command('issue')
    .description('Issues a token to a client as the operator; it is recorded in the audit log.')
  examples(issueCommand, [
    ['countersign token issue --client nightly-etl', 'prints the token and nothing else on stdout'],
    ['countersign token issue --client nightly-etl | countersign token inspect', ''],
  ])
  issueCommand
    .requiredOption('--client <name>', 'the client that it speaks for; it must have the grant client_credentials')
    .option('--audience <name>', 'needed when the client has several')
    .option('--scope <scope>', 'may be repeated (default: all that the client may ask for)', many)
    .action(bind(issue))

  const inspectCommand = token.command('inspect').description('Shows header and claims. Checks nothing.')
  examples(inspectCommand, [['countersign token inspect < token.txt', '']])
  tokenOptions(inspectCommand).action(bind(inspect))

  const verifyCommand = token
    .command('verify')
    .description('Checks a token as a consumer would, and here also its revocation; exit code 1 when it is refused.')
  examples(verifyCommand, [
    ['countersign token verify --audience api < token.txt', 'a token of this installation'],
    ['countersign token verify --issuer https://auth.example.com --audience api < token.txt', "another issuer's"],
  ])
  verificationOptions(verifyCommand).action(bind(verify))

  const revokeCommand = token
    .command('revoke')
    .description('Revokes an access token, or with a refresh token its whole session.')
  examples(revokeCommand, [['countersign token revoke < token.txt', '']])
  tokenOptions(revokeCommand).action(bind(revoke))
}
