import { randomBytes } from 'node:crypto'
import { type Answer, denied, done, envelope, found, type Json, refused } from './answer.ts'

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list'

/** Path pattern (`+` one segment, a final `*` anything) → what is allowed there. */
export type Policy = Readonly<Record<string, readonly Capability[]>>

/** How tokens come: seconds, as Vault counts them. */
export interface TokenTerms {
  readonly policies: readonly string[]
  /** 0: never expires. */
  readonly ttlSeconds: number
  /** From creation; no renewal goes past it. 0: none. */
  readonly maxTtlSeconds?: number
  readonly renewable?: boolean
}

interface Token extends TokenTerms {
  readonly createdAt: number
  expiresAt: number
}

export interface TokenTable {
  issue(terms: TokenTerms): string
  login(terms: TokenTerms): Answer
  revoke(token: string): void
  /** All tokens at once, as after a restore of Vault's storage. */
  revokeAll(): void
  isAlive(token: string): boolean
  allows(token: string, path: string, capability: Capability): boolean
  /** `auth/token/*-self`. */
  self(kind: string, token: string, body: Json): Answer
}

function matches(pattern: string, path: string): boolean {
  const source = pattern
    .replaceAll(/[.^$?()[\]{}|\\]/g, '\\$&')
    .replaceAll('+', '[^/]+')
    .replace(/\*$/, '.*')
  return new RegExp(`^${source}$`).test(path)
}

export function createTokenTable(policies: Readonly<Record<string, Policy>>, now: () => number): TokenTable {
  const tokens = new Map<string, Token>()

  function living(token: string): Token | undefined {
    const held = tokens.get(token)
    if (held === undefined || held.expiresAt <= now()) return undefined
    return held
  }

  function issue(terms: TokenTerms): string {
    const token = `hvs.${randomBytes(24).toString('base64url')}`
    const expiresAt = terms.ttlSeconds === 0 ? Number.POSITIVE_INFINITY : now() + terms.ttlSeconds
    tokens.set(token, { ...terms, createdAt: now(), expiresAt })
    return token
  }

  function authOf(token: string, held: Token): Json {
    return {
      client_token: token,
      accessor: `accessor-${token.slice(-6)}`,
      policies: held.policies,
      token_policies: held.policies,
      lease_duration: Number.isFinite(held.expiresAt) ? Math.floor(held.expiresAt - now()) : 0,
      renewable: held.renewable ?? true,
      token_type: 'service',
      orphan: true,
    }
  }

  function renew(token: string, held: Token): Answer {
    if (held.renewable === false) return refused('lease is not renewable')
    const most = held.maxTtlSeconds ? held.createdAt + held.maxTtlSeconds : Number.POSITIVE_INFINITY
    if (held.ttlSeconds > 0) held.expiresAt = Math.min(now() + held.ttlSeconds, most)
    return { status: 200, body: envelope({ auth: authOf(token, held) }) }
  }

  return {
    issue,
    revoke: (token) => void tokens.delete(token),
    revokeAll: () => tokens.clear(),
    isAlive: (token) => living(token) !== undefined,
    login(terms) {
      const token = issue(terms)
      const held = tokens.get(token)
      return held === undefined ? denied : { status: 200, body: envelope({ auth: authOf(token, held) }) }
    },
    allows(token, path, capability) {
      const held = living(token)?.policies ?? []
      if (held.includes('root')) return true
      return held.some((name) =>
        Object.entries(policies[name] ?? {}).some(
          ([pattern, capabilities]) => matches(pattern, path) && capabilities.includes(capability),
        ),
      )
    },
    self(kind, token) {
      const held = living(token)
      if (held === undefined) return denied
      if (kind === 'renew-self') return renew(token, held)
      if (kind === 'revoke-self') {
        tokens.delete(token)
        return done
      }
      const ttl = Number.isFinite(held.expiresAt) ? Math.floor(held.expiresAt - now()) : 0
      return found({
        creation_time: Math.floor(held.createdAt),
        creation_ttl: held.ttlSeconds,
        explicit_max_ttl: held.maxTtlSeconds ?? 0,
        policies: held.policies,
        renewable: held.renewable ?? true,
        ttl,
        type: 'service',
      })
    },
  }
}
