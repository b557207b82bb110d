import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isSealingError, type KekSource } from '@countersign/sealing'
import {
  createDataDir,
  openTokenService,
  type ResolvedConfig,
  resolveConfig,
  type TokenServiceParts,
} from '@countersign/server'
import type { AuthConfig, AuthModuleEvent, Settings } from './config.ts'
import { AuthModuleError } from './errors.ts'

/** Past it the issuer asks for a key ring that keeps a replaced key visible for as long. */
const usualLifeSeconds = 43_200
/** While another process makes the same directory. */
const longestWaitMs = 2_000

/**
 * Opens the token service of a module, in a directory that is made at the first start.
 *
 * @throws AuthModuleError `bad_option`, `data_incomplete`, `kek_wrong`, `other_issuer`; StorageError, SealingError,
 * KeysError and ObservabilityError of the parts
 */
export async function openService(
  settings: Settings,
  config: Pick<AuthConfig, 'clock' | 'limits' | 'report'>,
  given: { readonly kek: KekSource | undefined; emit(event: AuthModuleEvent): void },
): Promise<TokenServiceParts> {
  const resolved = await resolveSettings(settings)
  const { kek, emit } = given
  const how = { kek: kek === undefined ? 'file' : 'given' } as const
  await makeOnce(resolved, how)
  const { clock, limits, report } = config
  try {
    return await openTokenService(resolved, {
      scheduler: true,
      onFatal: (error) => emit({ type: 'store_failed', error }),
      ...(kek === undefined ? {} : { kek }),
      ...(clock === undefined ? {} : { clock }),
      ...(limits === undefined ? {} : { limits }),
      ...(report === undefined ? {} : { report }),
    })
  } catch (cause) {
    throw explained(cause, resolved)
  }
}

async function resolveSettings(settings: Settings): Promise<ResolvedConfig> {
  const { audience, tokenExpirySeconds, scopes, resource } = settings
  const consumer = {
    scopes,
    accessTokenLifeSeconds: tokenExpirySeconds,
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: settings.isShared ? 'none' : 'body',
    ...(resource === undefined ? {} : { resource }),
  }
  const keys = tokenExpirySeconds > usualLifeSeconds ? { maxOverlapSeconds: tokenExpirySeconds + 3_600 } : {}
  try {
    return await resolveConfig(
      {
        issuer: settings.issuer,
        dataDir: resolve(settings.dataDir),
        consumers: { [audience]: consumer },
        keys,
        metrics: false,
      },
      { baseDir: process.cwd() },
    )
  } catch (cause) {
    throw new AuthModuleError('bad_option', cause instanceof Error ? cause.message : 'invalid', { cause })
  }
}

/** A key-encryption key without its database, or the reverse, is never completed: that would hide a loss. */
async function makeOnce(resolved: ResolvedConfig, how: { readonly kek: 'file' | 'given' }): Promise<void> {
  const { kekFile, databaseFile, dataDir } = resolved
  const hasKek = (): boolean => how.kek === 'given' || existsSync(kekFile)
  const isNew = !existsSync(databaseFile) && (how.kek === 'given' || !existsSync(kekFile))
  if (isNew) {
    await mkdir(dirname(dataDir), { recursive: true })
    try {
      return await createDataDir(resolved, how)
    } catch (error) {
      // Another process was quicker.
      if (!hasCode(error, 'already_initialised') && !hasCode(error, 'file_exists')) throw error
    }
  }
  // The key comes first: with it alone, another process may be at it.
  for (let waited = 0; waited < longestWaitMs && hasKek() && !existsSync(databaseFile); waited += 20) await delay(20)
  const missing = hasKek() ? databaseFile : kekFile
  if (existsSync(missing)) return
  throw new AuthModuleError('data_incomplete', `${missing} is missing, while other files of the module are there.`)
}

/** A file of a key that is not private, or holds no key: its own error says what to put right. */
const keyUnread = /^(?:file_|kek_invalid$)/
const kekFaults = ['kek_unknown', 'sealed_not_authentic', 'kek_unwrapped_wrong']

function explained(cause: unknown, { dataDir, issuer }: ResolvedConfig): unknown {
  if (chain(cause).some((error) => kekFaults.some((code) => hasCode(error, code)))) {
    const what = `The signing keys in ${dataDir} were sealed under another key-encryption key than the one given.`
    return new AuthModuleError('kek_wrong', what, { cause })
  }
  const unread = chain(cause).find((error) => isSealingError(error) && keyUnread.test(error.code))
  if (unread !== undefined) return unread
  if (hasCode(cause, 'ring_mismatch')) {
    return new AuthModuleError('other_issuer', `${dataDir} belongs to another issuer than ${issuer}.`, { cause })
  }
  return cause
}

function chain(error: unknown): readonly unknown[] {
  const found: unknown[] = []
  for (let at = error; at instanceof Error && found.length < 8; at = at.cause) found.push(at)
  return found
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
