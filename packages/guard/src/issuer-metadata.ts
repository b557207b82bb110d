import { type ReadDocumentOptions, readDocument } from '@countersign/tokens/jwks'
import * as z from 'zod'

/** What a guard wants of an issuer's metadata. */
export interface IssuerMetadata {
  readonly jwksUrl: string
  /** Of the revocation feed: `countersign_revocations_uri`. */
  readonly revocationsUrl?: string
}

const url = z.string().max(2048).refine(URL.canParse)
const schema = z.object({ issuer: z.string(), jwks_uri: url, countersign_revocations_uri: url.optional() })

/**
 * Reads an issuer's metadata: RFC 8414 first, OpenID Connect Discovery where that is not there. It must name the very
 * issuer (RFC 8414 section 3.3), and not lead from https to http.
 *
 * @throws Error saying why it cannot be used
 */
export async function readIssuerMetadata(issuer: string, options: ReadDocumentOptions): Promise<IssuerMetadata> {
  for (const address of metadataUrls(issuer)) {
    const answer = await readDocument(address, options)
    if (!answer.ok) {
      if (meansAbsent(answer.status)) continue
      throw new Error(`The metadata at ${address} could not be read (${answer.status ?? answer.reason}).`)
    }
    const metadata = parseMetadata(answer.text, address)
    if (metadata.issuer !== issuer) {
      throw new Error(
        `The metadata at ${address} names the issuer ${readable(metadata.issuer)}, not ${readable(issuer)}: ` +
          'they must be equal byte for byte, also a slash at the end.',
      )
    }
    // An issuer elsewhere has no business on this machine's own loopback.
    if (new URL(issuer).protocol === 'https:' && new URL(metadata.jwks_uri).protocol !== 'https:') {
      throw new Error('The metadata leads from https to http.')
    }
    const { jwks_uri: jwksUrl, countersign_revocations_uri: revocationsUrl } = metadata
    return { jwksUrl, ...(revocationsUrl === undefined ? {} : { revocationsUrl }) }
  }
  throw new Error(
    `There is no metadata at ${metadataUrls(issuer).join(' and ')}: check the issuer, or give \`jwksUrl\` where it publishes none.`,
  )
}

function parseMetadata(text: string, address: string): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`What ${address} answers is no metadata of an issuer: it needs "issuer" and "jwks_uri".`, { cause })
  }
}

/** For a log: quoted, so that no character stays unseen, and cut. */
function readable(name: string): string {
  return JSON.stringify(name.slice(0, 200))
}

/** RFC 8414 section 3.1 puts the well-known path before the issuer's own, OpenID Connect Discovery after it. */
function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
}

/** A no, as opposed to a fault and to being asked to come again. */
function meansAbsent(status = 0): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429
}
