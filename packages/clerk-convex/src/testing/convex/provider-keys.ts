import type { AuthProvider } from 'convex/server'
import type { JSONWebKeySet } from 'jose'

/** The keys of each provider, kept for as long as their answers allow. */
export interface ProviderKeys {
  /**
   * Undefined when they cannot be had.
   *
   * @param issuer of the token, which fits the provider's
   */
  of(provider: AuthProvider, issuer: string): Promise<JSONWebKeySet | undefined>
}

export function providerKeys(fetch: typeof globalThis.fetch, now: () => number): ProviderKeys {
  const cache = new Map<string, { readonly until: number; readonly body: unknown }>()

  /** Kept by `Cache-Control` only: an answer without `max-age` is asked for again each time. */
  const read = async (url: string, isKeySet = false): Promise<unknown> => {
    const kept = cache.get(url)
    if (kept !== undefined && now() < kept.until) return kept.body
    try {
      // A data URI holds its own answer: nobody is asked, and no outage stops it.
      const response = await (url.startsWith('data:') ? globalThis.fetch(url) : fetch(url))
      if (response.status !== 200 || (isKeySet && !isJson(response))) return undefined
      const body: unknown = await response.json()
      const maxAge = Number(/(?:^|[\s,])max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1] ?? 0)
      cache.set(url, { until: now() + maxAge, body })
      return body
    } catch {
      // No answer, or one that is no JSON: no keys either way.
      return undefined
    }
  }

  return {
    async of(provider, issuer) {
      if (!('domain' in provider)) return asKeySet(await read(provider.jwks, !provider.jwks.startsWith('data:')))
      const discovery = await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
      const url = member(discovery, 'jwks_uri')
      if (member(discovery, 'issuer') !== issuer || typeof url !== 'string') return undefined
      return asKeySet(await read(url))
    },
  }
}

/** The types that the key set of a custom JWT may have; what a discovery document is sent as, nobody asks. */
function isJson({ headers }: Response): boolean {
  const [, type = '', charset = 'utf-8'] =
    /^\s*([^;\s]+)\s*(?:;\s*charset="?([^";\s]+)"?)?\s*$/i.exec(headers.get('content-type') ?? '') ?? []
  return ['application/json', 'application/jwk-set+json'].includes(type.toLowerCase()) && charset === 'utf-8'
}

/** Issuers are compared so: a scheme may be left out, and slashes at the end do not count. */
export function comparable(issuer: string): string {
  return (/^https?:\/\//.test(issuer) ? issuer : `https://${issuer}`).replace(/\/+$/, '')
}

function asKeySet(value: unknown): JSONWebKeySet | undefined {
  const keys = member(value, 'keys')
  return Array.isArray(keys) ? { keys } : undefined
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
