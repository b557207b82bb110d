import { basename } from 'node:path'
import type { Issuer } from '@countersign/issuer'
import { inspectBackup, type Restored, restoreBackup } from '@countersign/storage/backup'
import { systemClock } from '@countersign/tokens'
import { type BackUpOptions, databaseOf, type Operator, recordCopy } from './back-up-service.ts'
import { type LastingChange, lastingChangesSince } from './changes-since.ts'
import { openTokenService, type TokenServiceParts } from './open-token-service.ts'
import type { ResolvedConfig } from './resolve-config.ts'
import { feedRingName } from './rings.ts'

export interface RestoreServiceOptions extends BackUpOptions {
  /** Replaces the data that is there, and keeps it as a backup at this path. */
  readonly replace?: { readonly keepAt: string }
  /** Audit logs that tell what was done after the backup. @default the configuration's own */
  readonly auditFiles?: readonly string[]
}

/** What was done after the backup and is undone by it. */
export interface UndoneChange extends LastingChange {
  /**
   * `repeated`: it holds again. `by_hand`: only somebody who knows the password or holds the secret can repeat it.
   * `gone`: whom it was about is not in the backup.
   */
  readonly state: 'repeated' | 'by_hand' | 'gone'
  /** Of the user or client, as commands take it. */
  readonly name: string | null
}

export interface RestoredService extends Restored {
  /** Undefined when no audit log was found: nobody can tell what the backup does not know. */
  readonly undone: readonly UndoneChange[] | undefined
  /** Why the service cannot be opened with what was restored, such as another key-encryption key. Nothing was repeated then. */
  readonly fault: unknown
}

/**
 * Puts a backup in the place of a service's database, then makes what must not come back stay gone: keys that were
 * revoked after the backup are revoked again, users and clients disabled again, as the audit log tells. No service may
 * run meanwhile, and none should be started before this has ended.
 *
 * @throws StorageError `not_a_backup`, `backup_damaged`, `schema_too_new`, `in_use`, `not_empty`, `copy_differs`: nothing
 * was changed then
 */
export async function restoreService(
  config: ResolvedConfig,
  file: string,
  options: RestoreServiceOptions = {},
): Promise<RestoredService> {
  const { actor = { type: 'operator' }, clock = systemClock, replace, onProgress } = options
  const { contents } = await inspectBackup(file)
  const changes = await readChanges(options.auditFiles ?? [config.auditFile], contents.createdAt)
  const restored = await restoreBackup(file, await databaseOf(config), {
    now: clock.now(),
    beforeChange: () => recordCopy(config, 'store.restore', actor, basename(file)),
    revokedKeys: (changes ?? []).flatMap(({ action, id, ring }) => {
      return action === 'key.revoke' && ring !== feedRingName ? [id] : []
    }),
    ...(replace === undefined ? {} : { replace }),
    ...(onProgress === undefined ? {} : { onProgress }),
  })
  try {
    const service = await openTokenService(config, { clock })
    try {
      const undone = await repeat(service, restored.revokedKeys, changes, actor)
      return { ...restored, undone, fault: undefined }
    } finally {
      await service.close()
    }
  } catch (fault) {
    return { ...restored, undone: changes?.map((change) => ({ ...change, state: 'by_hand', name: null })), fault }
  }
}

async function readChanges(files: readonly string[], since: number): Promise<readonly LastingChange[] | undefined> {
  const found = await Promise.all(files.map((file) => lastingChangesSince(file, since)))
  const known = found.filter((changes) => changes !== undefined)
  return known.length === 0 ? undefined : known.flat().sort((a, b) => a.at - b.at)
}

const reason = 'revoked after the backup that was restored'

async function repeat(
  { issuer, rings, feedRing }: TokenServiceParts,
  revokedKeys: readonly string[],
  changes: readonly LastingChange[] | undefined,
  actor: Operator,
): Promise<readonly UndoneChange[] | undefined> {
  const told = (changes ?? []).flatMap(({ action, id }) => (action === 'key.revoke' ? [id] : []))
  for (const kid of new Set([...revokedKeys, ...told])) {
    const key = [...rings, feedRing].flatMap((ring) => ring.status().keys).find((one) => one.kid === kid)
    if (key !== undefined && key.state !== 'revoked') await issuer.keys.revoke(kid, { reason, scope: 'key', actor })
  }
  if (changes === undefined) return undefined
  const names = { user: await namesOf(issuer, 'users'), client: await namesOf(issuer, 'clients') }
  const undone: UndoneChange[] = []
  for (const change of changes) {
    const [kind, deed] = change.action.split('.')
    if (kind === 'key') {
      undone.push({ ...change, name: null, state: 'repeated' })
      continue
    }
    const known = names[kind === 'user' ? 'user' : 'client'].get(change.id)
    if (known === undefined) undone.push({ ...change, name: null, state: 'gone' })
    else if (deed === 'disable') {
      const of = kind === 'user' ? issuer.users : issuer.clients
      if (!known.isDisabled) await of.disable(known.name, { actor })
      undone.push({ ...change, name: known.name, state: 'repeated' })
    } else if (deed !== 'add') undone.push({ ...change, name: known.name, state: 'by_hand' })
  }
  return undone
}

interface Named {
  readonly name: string
  readonly isDisabled: boolean
}

const pageSize = 1_000

async function namesOf(issuer: Issuer, what: 'users' | 'clients'): Promise<ReadonlyMap<string, Named>> {
  const names = new Map<string, Named>()
  let after: { after?: string } = {}
  for (;;) {
    const page =
      what === 'users'
        ? (await issuer.users.list({ limit: pageSize, ...after })).map((user) => ({ ...user, name: user.identifier }))
        : await issuer.clients.list({ limit: pageSize, ...after })
    for (const { id, name, disabledAt } of page) names.set(id, { name, isDisabled: disabledAt !== null })
    const last = page.at(-1)
    if (page.length < pageSize || last === undefined) return names
    after = { after: last.name }
  }
}
