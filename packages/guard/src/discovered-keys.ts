import { type Clock, type KeySource, TokenRejected } from '@countersign/tokens'
import { z } from 'zod'
import { type FetchLimits, fetchJson } from './fetch-json.ts'

/** Two tries at once, then one each 30 s: a flood of tokens does not become a flood of requests. */
const burst = 2
const refillMs = 30_000

export interface ClosableKeys extends KeySource {
  close(): void
}

interface DiscoveryOptions extends FetchLimits {
  readonly clock: Clock
}

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string().max(2048) })

/**
 * The keys of an issuer, whose JWKS is found through its metadata when the first key is asked for: RFC 8414 first,
 * OpenID Connect Discovery where that is not there. The metadata must name the very issuer (RFC 8414 section 3.3).
 * It is read once; where the keys lie does not change while the process lives.
 */
export function discoveredKeys(
  issuer: string,
  options: DiscoveryOptions,
  open: (jwksUrl: string) => ClosableKeys,
): ClosableKeys {
  const { clock } = options
  let found: ClosableKeys | undefined
  let pending: Promise<ClosableKeys> | undefined
  let closed = false
  let tries = burst
  let countedAtMs = clock.monotonicMs()

  const mayTry = (): boolean => {
    const nowMs = clock.monotonicMs()
    tries = Math.min(burst, tries + (nowMs - countedAtMs) / refillMs)
    countedAtMs = nowMs
    if (tries < 1) return false
    tries -= 1
    return true
  }
  const discover = async (): Promise<ClosableKeys> => {
    // Counted before the request, so that a request that hangs or fails has been counted too.
    if (!mayTry()) throw unavailable("The issuer's metadata could not be read a moment ago.")
    let opened: ClosableKeys
    try {
      opened = open(await readJwksUrl(issuer, options))
    } catch (cause) {
      throw unavailable("The issuer's metadata could not be used.", { cause })
    }
    if (closed) opened.close()
    found = opened
    return opened
  }

  return {
    get: (kid) => found?.get(kid),
    kids: () => found?.kids?.() ?? [],
    async load(kid) {
      if (found !== undefined) return found.load(kid)
      pending ??= discover().finally(() => {
        pending = undefined
      })
      return (await pending).load(kid)
    },
    close() {
      closed = true
      found?.close()
    },
  }
}

async function readJwksUrl(issuer: string, limits: FetchLimits): Promise<string> {
  for (const url of metadataUrls(issuer)) {
    const document = await fetchJson(url, limits)
    if (document === undefined) continue
    const metadata = metadataSchema.parse(document)
    if (metadata.issuer !== issuer) throw new Error('The metadata is of another issuer.')
    // An issuer elsewhere has no business on this machine's own loopback.
    if (new URL(issuer).protocol === 'https:' && new URL(metadata.jwks_uri).protocol !== 'https:') {
      throw new Error('The metadata leads from https to http.')
    }
    return metadata.jwks_uri
  }
  throw new Error('The issuer has no metadata.')
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

function unavailable(message: string, options?: ErrorOptions): TokenRejected {
  return new TokenRejected('keys_unavailable', message, { ...options, setting: 'keys' })
}
