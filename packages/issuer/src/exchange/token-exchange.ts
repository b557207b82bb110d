import type { ExchangeEdge } from '@countersign/consumers'
import type { AccessTokenClaims } from '@countersign/tokens'
import { isClientId, isUserId } from '../account-ids.ts'
import { authenticateConfidentialClient } from '../client-auth.ts'
import type { Context, Resource } from '../context.ts'
import { type Minted, mint, reportIssue, type ToMint } from '../mint.ts'
import type { AuditActor, ClientRecord, ExchangeEntry, Party } from '../ports.ts'
import { isReason } from '../reason.ts'
import { refusal } from '../refusals.ts'
import { namedResource, parseScope, usable } from '../target.ts'
import type { TokenAnswer, TokenExchangeRequest } from '../types.ts'
import type { OwnTokens } from '../verify-own.ts'
import { readActor } from './acting-party.ts'
import { type Attenuated, attenuate } from './attenuate.ts'
import { foreignParties } from './foreign-parties.ts'
import { type PresentedToken, readPresented } from './presented-token.ts'
import { refuseExchange } from './refuse.ts'

/** RFC 8693 section 3. A refresh token or an ID token is for somebody else to use, and nobody's to exchange. */
const tokenTypes: ReadonlySet<string> = new Set([
  'urn:ietf:params:oauth:token-type:access_token',
  'urn:ietf:params:oauth:token-type:jwt',
])
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/** RFC 8693: a token for the same subject at another audience, worth no more and for no longer. */
export async function tokenExchange(
  context: Context,
  own: OwnTokens,
  request: TokenExchangeRequest,
): Promise<TokenAnswer> {
  const client = await authenticateConfidentialClient(context, request)
  if (!client.grants.includes('token_exchange')) throw refusal('grant_not_allowed')
  const issuedTokenType = checkTypes(request)
  const reason = checkReason(request.reason)
  const presented = await readPresented(context, own, request.subjectToken)
  if (typeof presented === 'string') return refuseExchange(context, client.id, presented)
  const { from } = presented
  const { edge, resource } = chooseEdge(context, client, from, request)
  if (edge.reason && reason === undefined) return refuseExchange(context, client.id, 'reason_missing', { from })
  const actor = await readActor(context, own, request.actorToken, from)
  if (typeof actor === 'string')
    return refuseExchange(context, client.id, actor, { from, answer: 'actor_token_failed' })
  const scopes = request.scope === undefined ? undefined : parseScope(request.scope)
  const wanted = { edge, scopes, issuer: context.issuer, ...(actor === undefined ? undefined : { actor }) }
  const attenuated = attenuate(presented, client, wanted)
  if (typeof attenuated === 'string') return refuseExchange(context, client.id, attenuated, { from })

  const toMint = toMintOf(context, resource, attenuated)
  const minted = await mint(context, toMint)
  const made: Made = { edge, presented, minted, attenuated, actingSubject: actor?.subject, reason }
  // As for every grant: without both, the row and the record, nobody sees the token.
  const [outcome] = await Promise.all([
    context.stores.issued.exchange(entryOf(presented, attenuated, minted)),
    record(context, made, 'allowed'),
  ])
  if (outcome !== 'stored') {
    await record(context, { ...made, reason: outcome }, 'denied')
    return refuseExchange(context, client.id, outcome, { from })
  }
  reportIssue(context, toMint, minted)
  return {
    accessToken: minted.token,
    expiresInSeconds: minted.expiresInSeconds,
    scope: attenuated.scope,
    audience: resource.consumer.audience,
    subject: attenuated.subject,
    sessionId: attenuated.session,
    clientId: client.id,
    refresh: null,
    issuedTokenType,
  }
}

/** @returns what the new token is called @throws IssuerError `invalid_request` */
function checkTypes(request: TokenExchangeRequest): string {
  const { subjectTokenType, actorToken, actorTokenType, requestedTokenType = accessTokenType } = request
  if (!tokenTypes.has(subjectTokenType)) throw refusal('subject_token_type')
  if ((actorToken === undefined) !== (actorTokenType === undefined)) throw refusal('actor_token_type')
  if (actorTokenType !== undefined && !tokenTypes.has(actorTokenType)) throw refusal('actor_token_type')
  if (!tokenTypes.has(requestedTokenType)) throw refusal('requested_token_type')
  return requestedTokenType
}

/** @throws IssuerError `invalid_request` */
function checkReason(reason: string | undefined): string | undefined {
  if (reason !== undefined && !isReason(reason)) throw refusal('reason_malformed')
  return reason
}

/** The one edge from the presented token's audience to the one that is asked for, if this client has it. */
function chooseEdge(
  context: Context,
  client: ClientRecord,
  from: string,
  request: TokenExchangeRequest,
): { readonly edge: ExchangeEdge; readonly resource: Resource } {
  const edges = context.edges.get(`${client.name} ${from}`) ?? []
  if (edges.length === 0) return refuseExchange(context, client.id, 'not_permitted', { from })
  const named = namedResource(context, request)
  if (named === undefined && edges.length > 1) throw refusal('audience_missing')
  const to = named?.consumer.audience ?? edges[0]?.to
  const edge = edges.find((one) => one.to === to)
  if (edge === undefined)
    return refuseExchange(context, client.id, 'not_permitted', { from, answer: 'audience_not_this_way' })
  return { edge, resource: usable(client, context.resources.get(edge.to)) }
}

type Claims = Pick<AccessTokenClaims, 'org_id' | 'act' | 'may_act' | 'anc' | 'via' | 'synthetic'>

function toMintOf(context: Context, resource: Resource, made: Attenuated): ToMint {
  const claims: Claims = {
    ...(made.organization === undefined ? undefined : { org_id: made.organization }),
    ...(made.act === undefined ? undefined : { act: made.act }),
    // `attenuate` accepted it, so it holds nothing but the two members that it may have, and perhaps the issuer.
    ...(made.mayAct === undefined ? undefined : { may_act: withoutIssuer(made.mayAct) }),
    ...(made.ancestors.length === 0 ? undefined : { anc: made.ancestors }),
    ...(made.via.length === 0 ? undefined : { via: made.via }),
    ...(made.synthetic ? { synthetic: true } : undefined),
  }
  return {
    grant: 'token_exchange',
    resource,
    subject: made.subject,
    clientId: made.clientId,
    sessionId: made.session,
    scope: made.scope,
    generations: [...made.generations, ...made.actorGenerations, ...made.viaGenerations],
    now: context.now(),
    notAfter: made.notAfter,
    claims,
  }
}

function withoutIssuer(mayAct: unknown): NonNullable<AccessTokenClaims['may_act']> {
  const { sub, client_id } = mayAct as NonNullable<AccessTokenClaims['may_act']>
  return { ...(sub === undefined ? undefined : { sub }), ...(client_id === undefined ? undefined : { client_id }) }
}

function entryOf(presented: PresentedToken, made: Attenuated, { issued }: Minted): ExchangeEntry {
  const { own } = presented
  const clients: Party[] = []
  const users: Party[] = []
  /** Each once, with the lowest generation that somebody carries of it. Others than ours are not for the store to know. */
  const add = (id: string, generation: number): void => {
    const parties = isClientId(id) ? clients : isUserId(id) ? users : undefined
    if (parties === undefined) return
    const at = parties.findIndex((party) => party.id === id)
    if (at < 0) parties.push({ id, generation })
    else parties[at] = { id, generation: Math.min(generation, parties[at]?.generation ?? generation) }
  }
  add(made.clientId, made.generations[1])
  add(presented.subject, made.generations[2])
  if (own !== undefined) add(own.clientId, presented.generations[1])
  let at = 0
  for (let one = made.act; one !== undefined; one = one.act, at += 1) {
    add(one.client_id ?? one.sub, made.actorGenerations[at] ?? 0)
  }
  for (const [index, id] of made.via.entries()) add(id, made.viaGenerations[index] ?? 0)
  const { via, viaGenerations } = made
  const foreign = foreignParties(
    { subject: made.subject, session: made.session, via },
    made.generations[2],
    viaGenerations,
  )
  return {
    issued,
    tokens: own === undefined ? [] : [own.tokenId, ...own.ancestors],
    presented: own === undefined ? null : { subject: presented.subject, clientId: own.clientId },
    global: made.generations[0],
    clients,
    users,
    ...(foreign.length === 0 ? undefined : { foreign }),
  }
}

interface Made {
  readonly edge: ExchangeEdge
  readonly presented: PresentedToken
  readonly minted: Minted
  readonly attenuated: Attenuated
  /** Of the actor's token. */
  readonly actingSubject: string | undefined
  readonly reason: string | undefined
}

/** Who acts for whom, from where to where, and why. */
function record(context: Context, made: Made, outcome: 'allowed' | 'denied'): Promise<void> {
  const { edge, presented, attenuated, actingSubject, reason } = made
  const { issued } = made.minted
  const actor: AuditActor =
    actingSubject === undefined || isClientId(actingSubject)
      ? { type: 'client', id: actingSubject ?? attenuated.clientId }
      : { type: 'user', id: actingSubject }
  return context.audit({
    action: 'token.exchange',
    outcome,
    actor,
    target: { type: 'token', id: issued.jti },
    ...(reason === undefined ? undefined : { reason }),
    details: {
      as: edge.as,
      from: edge.from,
      audience: issued.audience,
      scope: attenuated.scope,
      subject: issued.subject,
      client: issued.clientId,
      session: issued.sessionId,
      presented: presented.own?.tokenId ?? null,
      kid: issued.kid,
      expiresAt: issued.expiresAt,
    },
  })
}
