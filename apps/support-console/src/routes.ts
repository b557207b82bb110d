import type { SessionInfo } from '@countersign/issuer'
import type { KeyRingStatus } from '@countersign/keys'
import { jsonBody, Problem, type RouteContext } from '@countersign-apps/kit'
import type { Request } from 'express'
import { z } from 'zod'
import type { Context } from './context.ts'
import { findSessions, readKeys, rethrow } from './desk.ts'
import type { HelpRequest } from './help-desk.ts'
import { reason } from './reason.ts'
import type { RevocationView } from './revocation-board.ts'
import { revokeSession } from './revoke-session.ts'
import type { Scope } from './scopes.ts'

const why = z.strictObject({ reason })
const query = z.strictObject({ user: z.string().min(1).max(254) })
const helpShape = z.strictObject({ note: z.string().max(500).default('') })

/** What programs use; the page does the same for people. */
export function jsonRoutes({ auth, router }: RouteContext<Scope>, context: Context): void {
  const { issuer, rings, board, help, delegation } = context

  router.get('/sessions', 'sessions:read', async (req, res) => {
    const { user } = Problem.parse(query, { ...req.query })
    res.json({ sessions: (await findSessions(issuer, user)).map(sessionOnWire) })
  })
  router.post('/sessions/:id/revoke', 'sessions:revoke', ...jsonBody(), async (req, res) => {
    const given = Problem.parse(why, req.body)
    const operator = auth.principal(req).subject
    const revocation = await revokeSession(context, { session: String(req.params.id), operator, ...given })
    res.status(202).json(revocationOnWire(revocation))
  })
  router.get('/revocations/:id', 'sessions:read', async (req, res) => {
    await board.look()
    const revocation = board.get(String(req.params.id))
    if (revocation === undefined) throw new Problem('not_found', 'There is no such revocation here.')
    res.json(revocationOnWire(revocation))
  })
  router.get('/keys', 'keys:read', async (_req, res) => {
    res.json({ rings: (await readKeys(rings)).map(ringOnWire) })
  })
  router.get('/consumers', 'keys:read', async (_req, res) => {
    const acknowledged = await issuer.acknowledgements().catch(rethrow)
    res.json({ acknowledged })
  })
  router.post('/help', 'conversations:read', ...jsonBody(), (req, res) => {
    const { note } = Problem.parse(helpShape, req.body)
    const principal = auth.principal(req)
    // The scope is one for reading, but a request is before operators, who have better to do.
    if (principal.synthetic === true) throw new Problem('forbidden', 'A monitor asks nobody for help.')
    const { id, expiresAt } = help.ask(principal, tokenOf(req), note)
    res.status(201).json({ id, expires_at: expiresAt })
  })
  router.get('/help', 'help:answer', (_req, res) => {
    res.json({ requests: help.list().map(helpOnWire) })
  })
  router.post('/help/:id/conversations', 'help:answer', ...jsonBody(), async (req, res) => {
    const given = Problem.parse(why, req.body)
    const { subject, token } = help.get(String(req.params.id))
    const asked = { customersToken: token, operatorsToken: tokenOf(req), ...given }
    res.json({ subject, conversations: await delegation.readConversations(asked) })
  })
}

/** The guard admitted exactly one token, from this header. */
function tokenOf(req: Request): string {
  return req.get('authorization')?.slice('Bearer '.length).trim() ?? ''
}

function sessionOnWire(session: SessionInfo): object {
  return {
    id: session.id,
    user: session.userId,
    client: session.clientId,
    audience: session.audience,
    scope: session.scope,
    created_at: session.createdAt,
    expires_at: session.expiresAt,
    ended_at: session.endedAt,
    end_reason: session.endReason,
  }
}

export function revocationOnWire({ isComplete, consumers, ...revocation }: RevocationView): object {
  return {
    ...revocation,
    complete: isComplete,
    consumers: consumers.map(({ consumer, state, instances, afterMs }) => ({
      consumer,
      state,
      instances,
      after_ms: afterMs,
    })),
  }
}

function ringOnWire({ name, algorithm, activeKid, age, keys }: KeyRingStatus): object {
  return {
    name,
    algorithm,
    active: activeKid,
    age,
    keys: keys.map((key) => ({
      kid: key.kid,
      state: key.state,
      created_at: key.createdAt,
      published_at: key.publishedAt,
      activated_at: key.activatedAt,
      retiring_at: key.retiringAt,
      retired_at: key.retiredAt,
      revoked_at: key.revokedAt,
      next: key.next,
    })),
  }
}

/** Without the customer's token. */
function helpOnWire({ id, subject, note, askedAt, expiresAt }: HelpRequest): object {
  return { id, subject, note, asked_at: askedAt, expires_at: expiresAt }
}
