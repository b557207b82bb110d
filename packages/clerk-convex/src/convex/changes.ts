import { type VUnion, v } from 'convex/values'

const happenedAt = v.number()

/** What an event of Clerk's says, as far as our tables keep it. */
export interface UserChange {
  kind: 'user'
  user: string
  state: 'active' | 'banned' | 'deleted'
  happenedAt: number
}
export interface OrganizationChange {
  kind: 'organization'
  organization: string
  name?: string
  slug?: string
  state: 'active' | 'deleted'
  happenedAt: number
}
export interface MembershipChange {
  kind: 'membership'
  organization: string
  user: string
  role: string
  state: 'active' | 'removed'
  happenedAt: number
}
export interface SessionChange {
  kind: 'session'
  session: string
  user: string
  /** `session.created`, `session.ended`, … */
  operation: string
  happenedAt: number
}

export type Change = UserChange | OrganizationChange | MembershipChange | SessionChange

export const changeValidator: VUnion<Change, never[]> = v.union(
  v.object({
    kind: v.literal('user'),
    user: v.string(),
    state: v.union(v.literal('active'), v.literal('banned'), v.literal('deleted')),
    happenedAt,
  }),
  v.object({
    kind: v.literal('organization'),
    organization: v.string(),
    name: v.optional(v.string()),
    slug: v.optional(v.string()),
    state: v.union(v.literal('active'), v.literal('deleted')),
    happenedAt,
  }),
  v.object({
    kind: v.literal('membership'),
    organization: v.string(),
    user: v.string(),
    role: v.string(),
    state: v.union(v.literal('active'), v.literal('removed')),
    happenedAt,
  }),
  v.object({ kind: v.literal('session'), session: v.string(), user: v.string(), operation: v.string(), happenedAt }),
) as unknown as VUnion<Change, never[]>

type Data = Readonly<Record<string, unknown>>

/** Undefined for an event that our tables have nothing of. */
export function readChange(type: string, data: Data, happenedAtMs: number): Change | undefined {
  const [kind, verb] = type.split('.')
  const happened = { happenedAt: happenedAtMs }
  const id = text(data, 'id')
  const isGone = verb === 'deleted'
  if (kind === 'user' && id !== undefined) {
    // Not `locked`: whoever guesses at a password can bring that about, and sessions stay good.
    const state = isGone ? 'deleted' : data.banned === true ? 'banned' : 'active'
    return { kind, user: id, state, ...happened }
  }
  if (kind === 'organization' && id !== undefined) {
    const name = text(data, 'name')
    const slug = text(data, 'slug')
    const said = { ...(name === undefined ? {} : { name }), ...(slug === undefined ? {} : { slug }) }
    return { kind, organization: id, ...said, state: isGone ? 'deleted' : 'active', ...happened }
  }
  if (kind === 'organizationMembership') {
    const organization = text(data.organization, 'id')
    const user = text(data.public_user_data, 'user_id')
    if (organization === undefined || user === undefined) return undefined
    const role = (text(data, 'role') ?? '').replace(/^org:/, '')
    return { kind: 'membership', organization, user, role, state: isGone ? 'removed' : 'active', ...happened }
  }
  if (kind === 'session' && id !== undefined) {
    const user = text(data, 'user_id')
    return user === undefined ? undefined : { kind, session: id, user, operation: type, ...happened }
  }
  return undefined
}

function text(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' && found !== '' && found.length <= 512 ? found : undefined
}
