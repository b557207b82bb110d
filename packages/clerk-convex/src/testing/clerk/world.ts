import type { WebhookEventType } from '@clerk/backend/webhooks'
import type { Clock } from '@countersign/tokens'
import {
  membershipRecord,
  type NewMembership,
  type NewOrganization,
  type NewUser,
  organizationRecord,
  sessionRecord,
  userRecord,
} from './records.ts'
import {
  ApiFault,
  type OrganizationJSON,
  type OrganizationMembershipJSON,
  type SessionJSON,
  type UserJSON,
} from './types.ts'

/** What the instance holds. Every change is told as Clerk's webhooks would tell it. */
export interface World {
  readonly users: ReadonlyMap<string, UserJSON>
  readonly organizations: ReadonlyMap<string, OrganizationJSON>
  readonly sessions: ReadonlyMap<string, SessionJSON>
  addUser(input: NewUser): UserJSON
  updateUser(id: string, change: Partial<UserJSON>): UserJSON
  removeUser(id: string): void
  addOrganization(input: NewOrganization): OrganizationJSON
  removeOrganization(id: string): void
  setMembership(input: NewMembership): OrganizationMembershipJSON
  removeMembership(organizationId: string, userId: string): OrganizationMembershipJSON
  membership(organizationId: string, userId: string): OrganizationMembershipJSON | undefined
  memberships(of: { organizationId?: string; userId?: string }): readonly OrganizationMembershipJSON[]
  addSession(userId: string, organizationId?: string): SessionJSON
  /** Chooses another organisation, or none. */
  chooseOrganization(sessionId: string, organizationId: string | undefined): SessionJSON
  endSession(id: string, status: 'ended' | 'revoked'): SessionJSON
  /** Notes when the session's person last proved who they are: now, unless `minutesAgo` is given. */
  proveSession(id: string, minutesAgo?: number): void
  /** Whole minutes since then; a new session begins with 0. */
  sinceProof(id: string): number
}

export function createWorld(clock: Clock, onChange: (type: WebhookEventType, data: object) => void): World {
  const users = new Map<string, UserJSON>()
  const organizations = new Map<string, OrganizationJSON>()
  const members = new Map<string, OrganizationMembershipJSON>()
  const sessions = new Map<string, SessionJSON>()
  const provedAtMs = new Map<string, number>()
  const nowMs = (): number => Math.floor(clock.now() * 1000)
  const memberships: World['memberships'] = ({ organizationId, userId }) =>
    [...members.values()].filter(
      ({ organization, public_user_data }) =>
        (organizationId === undefined || organization.id === organizationId) &&
        (userId === undefined || public_user_data.user_id === userId),
    )
  const removeMembership: World['removeMembership'] = (organizationId, userId) => {
    const key = `${organizationId} ${userId}`
    const membership = found(members.get(key))
    members.delete(key)
    onChange('organizationMembership.deleted', membership)
    return membership
  }
  const removeMemberships = (of: { organizationId?: string; userId?: string }): void => {
    for (const { organization, public_user_data } of memberships(of)) {
      removeMembership(organization.id, public_user_data.user_id)
    }
  }
  const endSession: World['endSession'] = (id, status) => {
    const session = { ...found(sessions.get(id)), status, updated_at: nowMs() }
    sessions.set(id, session)
    onChange(`session.${status}`, session)
    return session
  }

  return {
    users,
    organizations,
    sessions,
    addUser(input) {
      const taken = [...users.values()].some(({ email_addresses }) =>
        email_addresses.some(({ email_address }) => email_address === input.email),
      )
      if (taken) throw new ApiFault(422, 'form_identifier_exists')
      const user = userRecord(input, nowMs())
      users.set(user.id, user)
      onChange('user.created', user)
      return user
    },
    updateUser(id, change) {
      const user = { ...found(users.get(id)), ...change, updated_at: nowMs() }
      users.set(id, user)
      onChange('user.updated', user)
      return user
    },
    removeUser(id) {
      found(users.get(id))
      removeMemberships({ userId: id })
      for (const session of sessions.values()) {
        if (session.user_id === id && session.status === 'active') endSession(session.id, 'revoked')
      }
      users.delete(id)
      onChange('user.deleted', { object: 'user', id, deleted: true })
    },
    addOrganization(input) {
      const organization = organizationRecord(input, nowMs())
      organizations.set(organization.id, organization)
      onChange('organization.created', organization)
      return organization
    },
    removeOrganization(id) {
      found(organizations.get(id))
      removeMemberships({ organizationId: id })
      organizations.delete(id)
      onChange('organization.deleted', { object: 'organization', id, deleted: true })
    },
    setMembership(input) {
      const key = `${input.organization.id} ${input.user.id}`
      const before = members.get(key)
      const made = membershipRecord(input, nowMs())
      const membership = before === undefined ? made : { ...made, id: before.id, created_at: before.created_at }
      members.set(key, membership)
      onChange(before === undefined ? 'organizationMembership.created' : 'organizationMembership.updated', membership)
      return membership
    },
    removeMembership,
    membership: (organizationId, userId) => members.get(`${organizationId} ${userId}`),
    memberships,
    addSession(userId, organizationId) {
      found(users.get(userId))
      const session = sessionRecord(userId, organizationId, nowMs())
      sessions.set(session.id, session)
      onChange('session.created', session)
      return session
    },
    chooseOrganization(sessionId, organizationId) {
      const { last_active_organization_id: _before, ...rest } = found(sessions.get(sessionId))
      const chosen = organizationId === undefined ? {} : { last_active_organization_id: organizationId }
      const session = { ...rest, ...chosen, updated_at: nowMs() }
      sessions.set(sessionId, session)
      return session
    },
    endSession,
    proveSession(id, minutesAgo = 0) {
      provedAtMs.set(found(sessions.get(id)).id, nowMs() - minutesAgo * 60_000)
    },
    sinceProof(id) {
      const { created_at } = found(sessions.get(id))
      return Math.max(0, Math.floor((nowMs() - (provedAtMs.get(id) ?? created_at)) / 60_000))
    },
  }
}

export function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new ApiFault(404, 'resource_not_found')
  return value
}
