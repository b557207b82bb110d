import type { WebhookEvent } from '@clerk/backend/webhooks'

/**
 * The last second whose tokens an event ends, of whatever it is about: infinite for what never comes back, undefined for
 * what ends nothing.
 */
export function endOf({ type, data, timestamp }: WebhookEvent): number | undefined {
  switch (type) {
    case 'session.ended':
    case 'session.removed':
    case 'session.revoked':
    case 'user.deleted':
    case 'organization.deleted':
      return Number.POSITIVE_INFINITY
    case 'user.updated':
      // Not `locked`: whoever guesses at a password can bring that about, and Clerk's sessions stay good.
      return data.banned ? Math.floor(timestamp / 1000) : undefined
    case 'organizationMembership.updated':
    case 'organizationMembership.deleted':
      return Math.floor(timestamp / 1000)
    default:
      return undefined
  }
}
