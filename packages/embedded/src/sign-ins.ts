import type { Guard } from '@countersign/guard'
import { type Issuer, isIssuerError, type SharedPasswordOutcome, type TokenAnswer } from '@countersign/issuer'
import type { Principal } from '@countersign/tokens'
import type { AuthModule } from './auth-module.ts'
import type { Settings, SharedPasswordOptions } from './config.ts'
import { AuthModuleError } from './errors.ts'
import { isMachineSecret, machineOf } from './machines.ts'
import { type AuthSuccess, refused, resultOf } from './results.ts'
import type { TokenForm } from './token-form.ts'
import { payloadOf } from './token-payload.ts'

interface SignInParts<Scope extends string> {
  readonly settings: Settings
  readonly issuer: Issuer
  readonly form: TokenForm
  readonly guard: Guard<Scope>
  /** Resolves when this process knows what was revoked. */
  settled(): Promise<void>
  /** @throws AuthModuleError `closed` */
  refuseClosed(): void
}

type SignIns<Scope extends string> = Pick<
  AuthModule<Scope>,
  'authenticate' | 'validateToken' | 'refreshToken' | 'signOut'
>

/** Longest of what is looked at; a password has 1,024 characters at most. */
const longestText = 8_192
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= longestText

/** Everything about tokens and sessions. */
export function createSignIns<Scope extends string>(parts: SignInParts<Scope>): SignIns<Scope> {
  const { settings, issuer, form, guard, settled, refuseClosed } = parts
  const { audience, isShared } = settings
  const own = { method: 'none', clientId: audience } as const

  const finish = async ({ accessToken, refresh }: TokenAnswer): Promise<AuthSuccess> => ({
    success: true,
    ...(await form.present(accessToken)),
    refreshToken: refresh?.token ?? null,
    error: null,
  })

  async function principalOf(token: string): Promise<Principal | undefined> {
    const asked = { token, surface: 'module' }
    const decision = guard.admitNow?.(asked) ?? (await guard.admit(asked))
    if (decision.admitted) return decision.principal
    if (decision.retryAfterSeconds === undefined) return undefined
    throw new AuthModuleError('unavailable', `Whether the token is good cannot be decided now (${decision.code}).`)
  }

  return {
    async authenticate(identifier, secret, { scopes, address } = {}) {
      refuseClosed()
      if (scopes !== undefined && !Array.isArray(scopes)) {
        throw new AuthModuleError('bad_option', 'scopes: expected an array of scopes')
      }
      if (!isText(identifier) || !isText(secret)) return refused('invalid_credentials')
      const asked = {
        ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
        ...(address === undefined ? {} : { address }),
      }
      const work = async (): Promise<TokenAnswer> => {
        if (isMachineSecret(secret)) {
          const clientId = await machineOf(issuer, identifier)
          return issuer.clientCredentials({ client: { method: 'client_secret_post', clientId, secret }, ...asked })
        }
        return isShared && identifier === audience
          ? issuer.sharedSignIn({ password: secret, ...asked })
          : issuer.signIn({ client: own, identifier, secret, ...asked })
      }
      return resultOf(work, finish, 'invalid_credentials')
    },
    async validateToken(token) {
      refuseClosed()
      const principal = isText(token) ? await principalOf(token) : undefined
      return principal === undefined ? null : payloadOf<Scope>(principal)
    },
    async refreshToken(refreshToken) {
      refuseClosed()
      if (!isText(refreshToken)) return refused('invalid_refresh_token')
      const request = { client: own, refreshToken, deliveredBy: 'body' } as const
      return resultOf(() => issuer.refresh(request), finish, 'invalid_refresh_token')
    },
    async signOut(token) {
      refuseClosed()
      if (!isText(token)) return false
      const session = (await principalOf(token))?.session
      // A refresh token is no access token, which is all that a guard knows.
      const ended = session === undefined ? await issuer.revokeToken(token) : await issuer.sessions.revoke(session)
      await settled()
      return ended
    },
  }
}

/** Makes it possible to sign in: through a client of the audience's name, which is asked in this process. */
export async function openSignIn<Scope extends string>(
  issuer: Issuer,
  audience: string,
  shared: SharedPasswordOptions<Scope> | undefined,
): Promise<SharedPasswordOutcome | undefined> {
  if (shared !== undefined) {
    const { password, defaultScopes, origins } = shared
    return issuer.useSharedPassword({
      password,
      name: audience,
      audience,
      ...(defaultScopes === undefined ? {} : { defaultScope: defaultScopes.join(' ') }),
      ...(origins === undefined ? {} : { origins }),
    })
  }
  if ((await issuer.clientIdOf(audience)) !== undefined) return undefined
  try {
    await issuer.clients.add({
      name: audience,
      type: 'public',
      grants: ['sign_in', 'refresh_token'],
      audiences: [audience],
      refreshDelivery: 'body',
      actor: { type: 'system' },
    })
  } catch (error) {
    // Another process was quicker.
    if (!isIssuerError(error) || error.code !== 'name_taken') throw error
  }
  return undefined
}
