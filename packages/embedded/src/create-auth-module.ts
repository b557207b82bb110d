import { createRequire } from 'node:module'
import { openCredentials } from '@countersign/credentials'
import { createGuard } from '@countersign/guard'
import type { AuthModule } from './auth-module.ts'
import { type AuthConfig, type DefaultScope, readConfig } from './config.ts'
import { derivedKek } from './derived-kek.ts'
import { AuthModuleError } from './errors.ts'
import { createMachines } from './machines.ts'
import { openService } from './open-service.ts'
import { neededScopes, protectHandler } from './protect.ts'
import { createSignIns, openSignIn } from './sign-ins.ts'
import { createTokenForm } from './token-form.ts'
import { createModuleUsers } from './users.ts'

const defaultOwner = 'module'
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
    const [form, credentials, sharedPassword] = await Promise.all([
      createTokenForm(settings, parts, clock),
      openCredentials({
        store: parts.credentialStore,
        kek: parts.kek,
        ...(clock === undefined ? {} : { now: () => Math.floor(clock.now()) }),
      }),
      openSignIn(issuer, audience, config.sharedPassword),
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
    const ownCredentials = credentials.of(defaultOwner)

    return {
      sharedPassword,
      ...createSignIns<Scope>({ settings, issuer, form, guard, settled, refuseClosed }),
      hasPermission: (payload, requiredScope) => payload?.scopes.includes(requiredScope) === true,
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
      routes(options) {
        if (algorithm === 'HS256') {
          throw new AuthModuleError(
            'bad_option',
            'routes: they answer with tokens of EdDSA, which is not what is accepted',
          )
        }
        const { issuerRoutes } = load('@countersign/issuer/express') as typeof import('@countersign/issuer/express')
        return issuerRoutes(issuer, options)
      },
      protect(handler, options) {
        return protectHandler(guard, handler, neededScopes(options?.scope, settings.scopes))
      },
      close() {
        closing ??= end()
        return closing
      },
    }
  }
}
