import { createRequire } from 'node:module'
import { openCredentials } from '@countersign/credentials'
import { createGuard } from '@countersign/guard'
import { type Issuer, isIssuerError } from '@countersign/issuer'
import { createMachines, createModuleUsers, isMachineSecret, machineOf } from './accounts.ts'
import type { AuthModule } from './auth-module.ts'
import { type AuthConfig, type DefaultScope, readConfig } from './config.ts'
import { derivedKek } from './derived-kek.ts'
import { AuthModuleError } from './errors.ts'
import { openService } from './open-service.ts'
import { type ProtectOptions, protectHandler } from './protect.ts'
import { type AuthSuccess, refused, resultOf } from './results.ts'
import { createTokenForm } from './token-form.ts'
import { payloadOf } from './token-payload.ts'

const defaultOwner = 'module'
/** Longest of what is looked at; a password has 1,024 characters at most. */
const longestSecret = 8_192

/** Only for who asks for it: it takes longer to load than everything else together. */
const load = createRequire(import.meta.url)

/**
 * Authentication in one process: accounts, tokens, permissions and sealed credentials over one directory, which is made
 * at the first start. Several processes may share it.
 *
 * @throws AuthModuleError `bad_option`, `weak_secret_key`, `kek_wrong`, `data_incomplete`, `other_issuer`; StorageError,
 * SealingError, KeysError and ObservabilityError of the parts. Nothing stays open then.
 *
 * @example
 * const auth = await createAuthModule({ dataDir: './data', scopes: ['notes:read', 'notes:write'] })
 * const result = await auth.authenticate('ada', password)
 * const payload = result.success ? await auth.validateToken(result.token) : null
 */
export async function createAuthModule<const Scope extends string = DefaultScope>(
  config: AuthConfig<Scope>,
): Promise<AuthModule<Scope>> {
  const settings = readConfig(config)
  const { clock, report } = config
  const emit = config.onEvent ?? (() => undefined)
  const { secretKey, audience, algorithm } = settings
  const kek = config.kek ?? (secretKey === undefined ? undefined : derivedKek(secretKey, emit))
  if (algorithm === 'HS256') emit({ type: 'compatibility', algorithm })

  const parts = await openService(settings, config, { kek, emit })
  const opened: (() => unknown)[] = [() => parts.close()]
  const end = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const close of opened.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  try {
    return await compose()
  } catch (error) {
    await end()
    throw error
  }

  async function compose(): Promise<AuthModule<Scope>> {
    const { issuer } = parts
    const { feed } = issuer
    if (feed === undefined) throw new Error('the service does not read its revocations')
    const [form, credentials] = await Promise.all([
      createTokenForm(settings, parts, clock),
      openCredentials({
        store: parts.credentialStore,
        kek: parts.kek,
        ...(clock === undefined ? {} : { now: () => Math.floor(clock.now()) }),
      }),
      ensureOwnClient(issuer, audience),
      feed.started,
    ])
    opened.push(() => credentials.close())
    const consumer = parts.consumers.consumers[audience]
    if (consumer === undefined) throw new Error('the module is not in its own matrix')
    const guard = createGuard<Scope>({
      verifier: form.verifier,
      issuer: settings.issuer,
      consumer,
      revocations: feed.revocations,
      ...(clock === undefined ? {} : { clock }),
      ...(report === undefined ? {} : { onEvent: report.guard }),
    })
    opened.push(() => guard.close())

    let closing: Promise<void> | undefined
    const refuseClosed = (): void => {
      if (closing !== undefined) throw new AuthModuleError('closed', 'The auth module is closed.')
    }
    const settled = (): Promise<void> => feed.catchUp()
    const own = { method: 'none', clientId: audience } as const
    const finish = async (answer: {
      readonly accessToken: string
      readonly refresh: { readonly token: string } | null
    }): Promise<AuthSuccess> => ({
      success: true,
      ...(await form.present(answer.accessToken)),
      refreshToken: answer.refresh?.token ?? null,
      error: null,
    })
    const ownCredentials = credentials.of(defaultOwner)

    async function principalOf(token: string) {
      const asked = { token, surface: 'module' }
      const decision = guard.admitNow?.(asked) ?? (await guard.admit(asked))
      if (decision.admitted) return decision.principal
      if (decision.retryAfterSeconds === undefined) return undefined
      throw new AuthModuleError('unavailable', `Whether the token is good cannot be decided now (${decision.code}).`)
    }

    return {
      async authenticate(identifier, secret, { scopes, address } = {}) {
        refuseClosed()
        if (!isText(identifier) || !isText(secret)) return refused('invalid_credentials')
        const asked = {
          ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
          ...(address === undefined ? {} : { address }),
        }
        const work = isMachineSecret(secret)
          ? async () => {
              const clientId = await machineOf(issuer, identifier)
              const client = { method: 'client_secret_post', clientId, secret } as const
              return issuer.clientCredentials({ client, ...asked })
            }
          : () => issuer.signIn({ client: own, identifier, secret, ...asked })
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
      hasPermission: (payload, requiredScope) => payload.scopes.includes(requiredScope),
      async storeCredential(identifier, data) {
        refuseClosed()
        await ownCredentials.put(identifier, data)
      },
      async getCredential(identifier) {
        refuseClosed()
        return (await ownCredentials.get(identifier)) ?? null
      },
      credentials(owner) {
        refuseClosed()
        return credentials.of(owner)
      },
      async rewrap() {
        refuseClosed()
        let signingKeys = 0
        for (const ring of [...parts.rings, parts.feedRing]) {
          signingKeys += (await ring.rewrap({ actor: { type: 'system' } })).rewrappedKids.length
        }
        const { rewrapped, failed } = await credentials.rewrap()
        return { signingKeys, credentials: rewrapped, failed }
      },
      users: createModuleUsers<Scope>(issuer, settled),
      clients: createMachines<Scope>('client', issuer, settings, settled),
      apiKeys: createMachines<Scope>('apiKey', issuer, settings, settled),
      guard,
      express(options) {
        const { expressAuth } = load('@countersign/express') as typeof import('@countersign/express')
        return expressAuth(guard, options)
      },
      webSocket(options) {
        refuseClosed()
        const { webSocketAuth } = load(
          '@countersign/websocket/server',
        ) as typeof import('@countersign/websocket/server')
        const sockets = webSocketAuth({ ...(clock === undefined ? {} : { clock }), ...options, guard })
        opened.push(() => sockets.close())
        return sockets
      },
      protect(handler, { scope }) {
        const scopes = neededScopes(scope)
        if (scope !== null && (scopes.length === 0 || !scopes.every((one) => Object.hasOwn(settings.scopes, one)))) {
          throw new AuthModuleError('bad_option', 'scope: expected scopes of the module, or null for any token')
        }
        return protectHandler(guard, handler, scopes)
      },
      close() {
        closing ??= end()
        return closing
      },
    }
  }
}

function neededScopes<Scope extends string>(scope: ProtectOptions<Scope>['scope']): readonly Scope[] {
  if (Array.isArray(scope)) return scope
  return typeof scope === 'string' ? [scope] : []
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= longestSecret

/** Through which people sign in: in this process only, so that it needs no secret. */
async function ensureOwnClient(issuer: Issuer, name: string): Promise<void> {
  if ((await issuer.clientIdOf(name)) !== undefined) return
  try {
    await issuer.clients.add({
      name,
      type: 'public',
      grants: ['sign_in', 'refresh_token'],
      audiences: [name],
      refreshDelivery: 'body',
      actor: { type: 'system' },
    })
  } catch (error) {
    // Another process was quicker.
    if (!isIssuerError(error) || error.code !== 'name_taken') throw error
  }
}
