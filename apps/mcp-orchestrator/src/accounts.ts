import { createInterface } from 'node:readline'
import type { AuthModule } from '@countersign/embedded'
import { ConfigError } from '@countersign-apps/kit'
import { consumer, type Scope } from './scopes.ts'

export interface AccountWords {
  readonly kind: 'user' | 'client'
  readonly name: string
  readonly scopes: readonly Scope[]
}

const usage = 'mcp-orchestrator add user|client NAME [SCOPE…]'

/** @throws ConfigError for other words than `add user|client NAME [SCOPE…]` */
export function readAccountWords([kind, name, ...scopes]: readonly string[]): AccountWords {
  if ((kind !== 'user' && kind !== 'client') || name === undefined) throw new ConfigError([`expected: ${usage}`])
  const isScope = (word: string): word is Scope => Object.hasOwn(consumer.scopes, word)
  const wrong = scopes.filter((word) => !isScope(word))
  if (wrong.length > 0)
    throw new ConfigError([`there is no scope ${wrong.join(', ')}: ${Object.keys(consumer.scopes).join(', ')}`])
  return { kind, name, scopes: scopes.filter(isScope) }
}

/**
 * Adds who may sign in at an orchestrator that runs alone; beside the running server, too.
 * @param input a user's password is its first line; nobody finds it in a process list
 * @returns what to tell: a client's secret is shown here and never again
 */
export async function addAccount(
  auth: AuthModule<Scope>,
  { kind, name, scopes }: AccountWords,
  input: NodeJS.ReadableStream,
): Promise<string> {
  const allowed = { scopes: scopes.length === 0 ? null : scopes }
  if (kind === 'client') {
    const { id, secret } = await auth.clients.create(name, allowed)
    return `client_id=${id}\nclient_secret=${secret}\n`
  }
  const lines = createInterface({ input })
  let password = ''
  for await (const line of lines) {
    password = line
    break
  }
  lines.close()
  const { id } = await auth.users.add(name, password, allowed)
  return `added ${name} as ${id}\n`
}
