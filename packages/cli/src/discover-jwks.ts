import { z } from 'zod'
import type { CliIo } from './io.ts'
import { readMetadata } from './issuer-metadata.ts'

const shape = z.looseObject({ jwks_uri: z.url() })

/**
 * An issuer's `jwks_uri`, from its metadata.
 * @throws CliError as {@link readMetadata}
 */
export async function discoverJwks(issuer: string, io: Pick<CliIo, 'fetch'>): Promise<string> {
  const remedy = 'Check the URL and that the issuer runs, or name its keys with --jwks.'
  return (await readMetadata(issuer, io, { shape, remedy })).jwks_uri
}
