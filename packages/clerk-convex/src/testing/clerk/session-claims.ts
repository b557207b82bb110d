import { randomBytes } from 'node:crypto'
import type { OrganizationMembershipJSON, SessionJSON } from './types.ts'

export interface TokenOptions {
  /** Of the claims. @default 2 */
  readonly version?: 1 | 2
  /** @default 60 */
  readonly lifeSeconds?: number
  /** `azp`. @default the one that the session was signed in at; `false` leaves it out, as the Backend API does */
  readonly origin?: string | false
  /** The organisation that is chosen; `false` for none. @default the session's */
  readonly organization?: string | false
  /** Minutes since each factor was verified. @default those of the session, without a second factor */
  readonly factorAges?: readonly [number, number]
  /** A JWT template, such as `convex`: no session, and `aud`. */
  readonly template?: { readonly name: string; readonly audience: string }
  /** Over everything else; `undefined` takes a claim away. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Over the usual header. */
  readonly header?: Readonly<Record<string, unknown>>
}

interface Circumstances {
  readonly issuer: string
  readonly session: SessionJSON
  readonly membership: OrganizationMembershipJSON | undefined
  readonly origin: string | undefined
  /** Of session tokens; templates have their own. */
  readonly audience: string | undefined
  /** Minutes since the person proved who they are. */
  readonly sinceProof: number
  readonly now: number
}

/** The claims of a session token, as an instance writes them. */
export function sessionClaims(options: TokenOptions, circumstances: Circumstances): Record<string, unknown> {
  const { issuer, session, membership, origin, audience, sinceProof, now } = circumstances
  const { version = 2, lifeSeconds = 60, factorAges = [sinceProof, -1], template } = options
  const iat = Math.floor(now)
  const usual = {
    ...(origin === undefined ? {} : { azp: origin }),
    exp: iat + lifeSeconds,
    iat,
    iss: issuer,
    jti: randomBytes(10).toString('hex'),
    nbf: iat - 10,
    sub: session.user_id,
    ...(version === 2 ? { v: 2 } : {}),
    ...(template === undefined
      ? { sid: session.id, sts: session.status, fva: factorAges, ...(audience === undefined ? {} : { aud: audience }) }
      : { aud: template.audience }),
    ...(membership === undefined ? {} : version === 2 ? organizationClaims(membership) : legacyClaims(membership)),
  }
  return { ...usual, ...options.claims }
}

function legacyClaims({ organization, role, permissions }: OrganizationMembershipJSON): object {
  return { org_id: organization.id, org_slug: organization.slug, org_role: role, org_permissions: permissions }
}

/** Permissions as a bit mask for each feature, the way version 2 has them. */
function organizationClaims({ organization, role, permissions }: OrganizationMembershipJSON): object {
  const granted = permissions.map((permission) => permission.split(':').slice(1))
  const features = [...new Set(granted.map(([feature = '']) => feature))]
  const names = [...new Set(granted.map(([, name = '']) => name))]
  const masks = features.map((feature) =>
    names.reduce(
      (mask, name, bit) => (permissions.includes(`org:${feature}:${name}`) ? mask | (1n << BigInt(bit)) : mask),
      0n,
    ),
  )
  const o = { id: organization.id, slg: organization.slug, rol: role.replace(/^org:/, '') }
  if (permissions.length === 0) return { o }
  return { o: { ...o, per: names.join(','), fpm: masks.join(',') }, fea: features.map((one) => `o:${one}`).join(',') }
}
