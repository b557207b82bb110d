import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createDataDir, loadConfig, type RunningTokenService, startTokenService } from '@countersign/server'
import { clerkSettings, clerkSubjectsOf } from './clerk.ts'

/** The configuration that `countersign … --config` takes too. */
export const configFile: string = fileURLToPath(new URL('../countersign.config.ts', import.meta.url))

export interface StartOptions {
  /** COUNTERSIGN_* override the configuration; CLERK_* declare an instance of Clerk. @default {} */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Gets whole log lines. @default standard output */
  readonly logDestination?: { write(line: string): unknown }
}

/**
 * Starts the fleet's token service. At the first start it makes its data directory and its key-encryption key: this is a
 * sample, an installation of your own does so once with `countersign init`. A store whose key is missing is never given
 * another.
 *
 * @throws ServerError `config_invalid`, `already_initialised` (a store without its key), `address_unavailable`, and what
 * the parts throw
 */
export async function startFleetTokenService({ env = {}, logDestination }: StartOptions): Promise<RunningTokenService> {
  const config = await loadConfig({ file: configFile, cwd: process.cwd(), env })
  const settings = await clerkSettings(env)
  if (!existsSync(config.kekFile)) await createDataDir(config)
  const clerk = settings === undefined ? undefined : clerkSubjectsOf(settings)
  const subjectVerifiers = clerk === undefined ? config.subjectVerifiers : [...config.subjectVerifiers, clerk]
  const destination = logDestination === undefined ? {} : { logDestination }
  try {
    const service = await startTokenService({ ...config, subjectVerifiers }, destination)
    return { ...service, close: () => service.close().finally(() => clerk?.verifier.close()) }
  } catch (error) {
    clerk?.verifier.close()
    throw error
  }
}
