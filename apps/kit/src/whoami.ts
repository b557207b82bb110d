import type { Principal } from '@countersign/tokens'

/** A principal as JSON. */
export function toWire(principal: Principal): Record<string, unknown> {
  const { issuer, subject, clientId, audience, scopes, session, organization, actor, issuedAt, expiresAt } = principal
  return {
    issuer,
    subject,
    client_id: clientId,
    audience,
    scopes: [...scopes],
    session,
    organization,
    actor,
    issued_at: issuedAt,
    expires_at: expiresAt,
  }
}
