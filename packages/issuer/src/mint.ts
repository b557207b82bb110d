import { type AccessTokenClaims, signAccessToken } from '@countersign/tokens'
import type { Context, Resource } from './context.ts'
import type { AuditActor, GrantType, IssuedRecord } from './ports.ts'
import { newId } from './random.ts'

export interface ToMint {
  readonly grant: GrantType
  readonly resource: Resource
  readonly subject: string
  readonly clientId: string
  readonly sessionId: string
  readonly scope: string
  readonly generations: readonly number[]
  readonly now: number
  /** Of the session or of the exchanged token: it lives no longer. */
  readonly notAfter?: number
  /** What else it says. */
  readonly claims?: Pick<AccessTokenClaims, 'org_id' | 'act' | 'may_act' | 'anc' | 'via' | 'synthetic'> | undefined
}

export interface Minted {
  readonly token: string
  readonly issued: IssuedRecord
  readonly expiresInSeconds: number
}

/** Signs an access token. Nothing is stored or recorded yet: the caller must do both before it hands the token out. */
export async function mint(context: Context, request: ToMint): Promise<Minted> {
  const { consumer, ring } = request.resource
  // The signer is read once: the row must name the very key that signed.
  const signer = ring.signer
  const life = request.now + consumer.accessTokenLifeSeconds
  const expiresAt = request.notAfter === undefined ? life : Math.min(life, request.notAfter)
  const jti = newId()
  const token = await signAccessToken(
    {
      iss: context.issuer,
      sub: request.subject,
      aud: consumer.audience,
      exp: expiresAt,
      iat: request.now,
      jti,
      client_id: request.clientId,
      scope: request.scope,
      sid: request.sessionId,
      gen: request.generations,
      ...request.claims,
    },
    signer,
  )
  return {
    token,
    expiresInSeconds: expiresAt - request.now,
    issued: {
      jti,
      sessionId: request.sessionId,
      kid: signer.kid,
      audience: consumer.audience,
      clientId: request.clientId,
      subject: request.subject,
      issuedAt: request.now,
      expiresAt,
    },
  }
}

/** The audit record of an access token. The actor is whom it was issued to, unless an operator issued it. */
export function recordIssue(
  context: Context,
  grant: GrantType,
  issued: IssuedRecord,
  actor: AuditActor = { type: grant === 'client_credentials' ? 'client' : 'user', id: issued.subject },
): Promise<void> {
  return context.audit({
    action: 'token.issue',
    outcome: 'allowed',
    actor,
    target: { type: 'token', id: issued.jti },
    details: {
      grant,
      kid: issued.kid,
      audience: issued.audience,
      client: issued.clientId,
      session: issued.sessionId,
      expiresAt: issued.expiresAt,
    },
  })
}

export function reportIssue(context: Context, request: ToMint, minted: Minted): void {
  context.emit({
    type: 'token_issued',
    grant: request.grant,
    audience: minted.issued.audience,
    clientId: minted.issued.clientId,
    kid: minted.issued.kid,
    algorithm: request.resource.consumer.algorithm,
  })
}

/** Of a monitor's account, and of whatever a monitor's client obtains. */
export function syntheticClaims(...parties: readonly { readonly synthetic: boolean }[]): ToMint['claims'] {
  return parties.some(({ synthetic }) => synthetic) ? monitors : undefined
}

const monitors = { synthetic: true } as const
