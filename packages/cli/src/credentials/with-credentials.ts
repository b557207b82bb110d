import type { Credentials } from '@countersign/credentials'
import type { CommandContext } from '../context.ts'
import type { ExitCode } from '../failure.ts'

export type CredentialAction = 'put' | 'get' | 'remove' | 'import' | 'rewrap'

export interface OpenedCredentials {
  readonly credentials: Credentials
  /** How many there are, of all owners. */
  count(): Promise<number>
  /** Into the audit log, before it is done: nothing is read or changed unrecorded. */
  record(action: CredentialAction, target: string, details?: Readonly<Record<string, string | number>>): Promise<void>
}

const pageSize = 200
/** The usual bound of `@countersign/credentials`, which other programs over the same store keep to. */
export const mostPerOwner = 1_000

/** Opens the credentials in the service's store, under its key-encryption key, beside a running service. */
export async function withCredentials(
  context: CommandContext,
  work: (opened: OpenedCredentials) => Promise<ExitCode>,
): Promise<ExitCode> {
  return await context.withService(async ({ config, credentialStore: store }) => {
    const { kekOf } = await import('@countersign/server')
    const { openCredentials } = await import('@countersign/credentials')
    const { openAuditLog } = await import('@countersign/observability')
    const now = (): number => Math.floor(context.io.clock.now())
    const credentials = await openCredentials({ store, kek: kekOf(config), now, maxPerOwner: mostPerOwner })
    const audit = await openAuditLog(config.auditFile)
    try {
      return await work({
        credentials,
        async count() {
          let count = 0
          for (let page = await store.page(undefined, pageSize); ; ) {
            count += page.length
            const last = page.at(-1)
            if (last === undefined) return count
            page = await store.page({ owner: last.owner, name: last.name }, pageSize)
          }
        },
        async record(action, target, details = {}) {
          await audit.record({
            action: `credential.${action}`,
            outcome: 'allowed',
            actor: context.operator,
            target: { type: 'credential', id: target },
            details,
          })
        },
      })
    } finally {
      credentials.close()
      await audit.close()
    }
  })
}
