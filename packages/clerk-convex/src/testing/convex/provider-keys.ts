import type { AuthProvider } from 'convex/server'
import type { JSONWebKeySet } from 'jose'

/** The keys of each provider, kept for as long as their answers allow. */
export interface ProviderKeys {
  /** Undefined when they cannot be had. */
  of(provider: AuthProvider): Promise<JSONWebKeySet | undefined>
}

export function providerKeys(fetch: typeof globalThis.fetch, now: () => number): ProviderKeys {
  const cache = new Map<string, { readonly until: number; readonly body: unknown }>()

  /** Kept by `Cache-Control` only: an answer without `max-age` is asked for again each time. */
  const read = async (url: string): Promise<unknown> => {
    const kept = cache.get(url)
    if (kept !== undefined && now() < kept.until) return kept.body
    try {
      // A data URI holds its own answer: nobody is asked, and no outage stops it.
      const response = await (url.startsWith('data:') ? globalThis.fetch(url) : fetch(url))
      if (!response.ok) return undefined
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
    async of(provider) {
      if (!('domain' in provider)) return asKeySet(await read(provider.jwks))
      const issuer = withScheme(provider.domain)
      const discovery = await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
      const url = member(discovery, 'jwks_uri')
      if (member(discovery, 'issuer') !== issuer || typeof url !== 'string') return undefined
      return asKeySet(await read(url))
    },
  }
}

/** A domain may be given without its scheme. */
export function withScheme(domain: string): string {
  return /^https?:\/\//.test(domain) ? domain : `https://${domain}`
}

function asKeySet(value: unknown): JSONWebKeySet | undefined {
  const keys = member(value, 'keys')
  return Array.isArray(keys) ? { keys } : undefined
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
