import { z } from 'zod'
import { CliError } from './failure.ts'
import { fetchText } from './fetch-answer.ts'
import type { CliIo } from './io.ts'

/** RFC 8414 section 3.1 puts the well-known name before the path, OpenID Connect Discovery behind it. */
function metadataUrls(issuer: URL): readonly string[] {
  const path = issuer.pathname === '/' ? '' : issuer.pathname.replace(/\/$/u, '')
  return [
    `${issuer.origin}/.well-known/oauth-authorization-server${path}`,
    `${issuer.origin}${path}/.well-known/openid-configuration`,
  ]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u

/** Whether what is sent there can be read on the way. */
export function isSafeUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback.test(url.hostname))
}

const named = z.looseObject({ issuer: z.string() })

/**
 * An issuer's metadata, as far as `shape` asks.
 * @throws CliError `address_unusable` for an issuer that is no https URL (http on loopback); `unreachable` when no
 * metadata of that shape answers, or the metadata is another issuer's (RFC 8414 section 3.3)
 */
export async function readMetadata<T>(
  issuer: string,
  io: Pick<CliIo, 'fetch'>,
  { shape, remedy }: { readonly shape: z.ZodType<T>; readonly remedy: string },
): Promise<T> {
  if (!isSafeUrl(issuer)) throw new CliError('address_unusable', 'The issuer is no https URL.')
  for (const place of metadataUrls(new URL(issuer))) {
    const text = await fetchText(io, place)
    const document = text === undefined ? undefined : parse(text)
    const found = shape.safeParse(document)
    if (!found.success) continue
    const says = named.safeParse(document).data?.issuer
    if (says === issuer) return found.data
    throw new CliError('unreachable', `The metadata at ${place} is of another issuer: ${says}`, {
      remedy: 'Give the issuer byte for byte as its metadata says.',
    })
  }
  throw new CliError('unreachable', `No metadata could be read from ${issuer}.`, { remedy })
}
