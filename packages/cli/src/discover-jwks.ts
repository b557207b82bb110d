import { z } from 'zod'
import { CliError } from './failure.ts'
import { fetchText } from './fetch-answer.ts'
import type { CliIo } from './io.ts'

const metadataSchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url() })

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

/**
 * An issuer's `jwks_uri`, from its metadata.
 * @throws CliError `address_unusable` for an issuer that is no https URL (http on loopback); `unreachable` when no
 * metadata answers, or the metadata is another issuer's (RFC 8414 section 3.3)
 */
export async function discoverJwks(issuer: string, io: Pick<CliIo, 'fetch'>): Promise<string> {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  const loopback = url !== undefined && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u.test(url.hostname)
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && loopback))) {
    throw new CliError('address_unusable', 'The issuer is no https URL.')
  }
  for (const place of metadataUrls(url)) {
    const text = await fetchText(io, place)
    const found = text === undefined ? undefined : metadataSchema.safeParse(parse(text))
    if (found?.success !== true) continue
    if (found.data.issuer === issuer) return found.data.jwks_uri
    throw new CliError('unreachable', `The metadata at ${place} is of another issuer: ${found.data.issuer}`, {
      remedy: 'Give the issuer byte for byte as its metadata says.',
    })
  }
  throw new CliError('unreachable', `No metadata could be read from ${issuer}.`, {
    remedy: 'Check the URL and that the issuer runs, or name its keys with --jwks.',
  })
}
