import { isRejection, type Principal, type TokenRejected } from '@countersign/tokens'
import type { Command } from 'commander'
import { checkToken } from '../check-token.ts'
import type { Bind, CommandContext } from '../context.ts'
import { type Explanation, explainRefusal } from '../explain-refusal.ts'
import type { ExitCode } from '../failure.ts'
import type { CliIo } from '../io.ts'
import type { Page } from '../output.ts'
import { readToken } from '../read-token.ts'
import { fromNow, instant } from '../times.ts'
import { examples } from '../usage.ts'
import { checkOptions, type VerificationOptions, type VerificationSettings, withVerification } from '../verification.ts'
import { verificationOptions } from './token.ts'

async function check(io: CliIo, token: string, settings: VerificationSettings): Promise<Principal | TokenRejected> {
  try {
    return await checkToken(io, token, settings)
  } catch (thrown) {
    if (isRejection(thrown)) return thrown
    throw thrown
  }
}

function writeRefusal(page: Page, explanation: Explanation): void {
  page.line(`refused: ${explanation.code}`, 'bad')
  const { check, where, found, expected, setting, message, hint, remedy } = explanation
  const fields: [label: string, value: string | null][] = [
    ['check', check],
    ['where', where],
    ['found', found],
    ['expected', expected],
    ['setting', setting ?? 'none: no setting changes this check'],
    ['why', message],
    ['hint', hint],
    ['remedy', remedy],
  ]
  page.fields(fields.flatMap(([label, value]) => (value === null ? [] : [[label, value] as const])))
}

async function explain(
  context: CommandContext,
  options: VerificationOptions & { readonly file?: string },
): Promise<ExitCode> {
  const { io, out } = context
  checkOptions(options)
  const token = await readToken(io, options.file)
  return await withVerification(context, options, token, async (settings) => {
    const found = await check(io, token, settings)
    const { issuer, audience, audienceUnchecked } = settings
    const against = { issuer, audience: audienceUnchecked ? null : audience, keys: settings.sources.keys }
    if (isRejection(found)) {
      const explanation = explainRefusal(found, token, settings, io.clock.now())
      out.result({ accepted: false, against, ...explanation }, (page) => writeRefusal(page, explanation))
      return 1
    }
    const revocationChecked = settings.isActive !== undefined
    out.result({ accepted: true, against, revocationChecked, expiresAt: found.expiresAt }, (page) => {
      page.line('accepted: nothing is wrong with this token', 'good')
      page.fields([
        ['issuer', issuer],
        ['audience', audienceUnchecked ? `${audience} (not checked: name yours with --audience)` : audience],
        ['scopes', [...found.scopes].join(' ')],
        ['expires', `${instant(found.expiresAt)} (${fromNow(found.expiresAt, io.clock.now())})`],
        ['revocation', revocationChecked ? 'not revoked' : 'not checked: only the issuer itself can'],
      ])
      page.line('If a consumer refuses it all the same, compare its audience, its scopes and its clock.', 'faint')
    })
    return 0
  })
}

export function addExplain(program: Command, bind: Bind): void {
  const command = program
    .command('explain')
    .description(
      'Says which check refuses a token, where in it, by which setting, and what to do.\n' +
        'Reads stdin or a file; never prints the token. Exit code 1 when it is refused.',
    )
  examples(command, [
    ['countersign explain < token.txt', 'a token of this installation'],
    ['countersign explain --audience api < token.txt', 'as the consumer api sees it'],
    ['countersign explain --issuer https://auth.example.com --audience api < token.txt', "another issuer's"],
  ])
  verificationOptions(command).action(bind(explain))
}
