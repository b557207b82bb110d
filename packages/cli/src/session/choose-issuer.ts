import type { CommandContext } from '../context.ts'
import { CliError } from '../failure.ts'
import type { SessionStore } from './session-store.ts'

/** What every command on a session takes. */
export interface AtIssuer {
  readonly issuer?: string
}

export const issuerOption = [
  '--issuer <url>',
  'the token service (default: the one that you signed in to last)',
] as const

function namedIssuer({ io }: CommandContext, { issuer }: AtIssuer): string | undefined {
  return issuer ?? (io.env.COUNTERSIGN_ISSUER || undefined)
}

/** `--issuer`, else the environment's, else the one that was signed in to last. */
export async function chosenIssuer(
  context: CommandContext,
  options: AtIssuer,
  store: SessionStore | undefined,
): Promise<string | undefined> {
  return namedIssuer(context, options) ?? (await store?.usual())
}

/**
 * Where to sign in: the same, else the configuration's.
 * @throws CliError `wrong_usage` when nothing says where
 */
export async function issuerToSignInTo(
  context: CommandContext,
  options: AtIssuer,
  store: SessionStore,
): Promise<string> {
  const { io } = context
  if (context.options.config === undefined) {
    const chosen = namedIssuer(context, options) ?? (await store.last())
    if (chosen !== undefined) return chosen
    const { findConfigFile } = await import('@countersign/server')
    if (findConfigFile(io.cwd) === undefined) {
      throw new CliError('wrong_usage', 'Which token service? Nobody has signed in here before.', {
        remedy: 'Name it: countersign auth login --issuer https://auth.example.com',
      })
    }
  }
  return options.issuer ?? (await context.loadConfig()).issuer
}
