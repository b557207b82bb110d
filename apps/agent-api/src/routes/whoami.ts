import type { Context } from './context.ts'

export function whoamiRoutes({ router, auth }: Context): void {
  router.get('/whoami', 'token', (req, res) => {
    const { issuer, subject, clientId, audience, scopes, session, organization, actor, issuedAt, expiresAt } =
      auth.principal(req)
    res.json({
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
    })
  })
}
