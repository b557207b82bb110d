import { createBrowserOrigins } from './browser-origins.ts'
import { findClient } from './client-auth.ts'
import { clientCredentials, issueToken } from './client-credentials.ts'
import { createClients } from './clients.ts'
import { type Context, createContext } from './context.ts'
import { signOut, status } from './current-session.ts'
import { isIssuerError } from './errors.ts'
import { tokenExchange } from './exchange/token-exchange.ts'
import { acknowledge, liveSeconds } from './feed/acknowledge.ts'
import { createFeed } from './feed/feed.ts'
import { createPositionReader } from './feed/position-reader.ts'
import { startUpkeep } from './feed/upkeep.ts'
import { createForeignIssuers, type ForeignIssuers } from './foreign-issuers.ts'
import { introspect, introspectToken } from './introspect.ts'
import { createKeys } from './keys.ts'
import { createMergedJwks } from './merged-jwks.ts'
import { metadata } from './metadata.ts'
import type { IssuerOptions } from './options.ts'
import type { GrantType } from './ports.ts'
import { startPruning } from './prune.ts'
import { createReady } from './ready.ts'
import { refresh } from './refresh.ts'
import { revoke, revokeToken } from './revoke.ts'
import { createRunning, type Running } from './running.ts'
import { createSessions } from './sessions.ts'
import { type Adopted, adoptSharedPassword, sharedSignIn } from './shared-password.ts'
import { signIn } from './sign-in.ts'
import type { Clients, Issuer, Keys, Sessions, TokenAnswer, Users } from './types.ts'
import { createUsers } from './users.ts'
import { createOwnTokens } from './verify-own.ts'

/**
 * The token service without transport. Starts pruning ended rows in the background; {@link Issuer.close} stops it.
 *
 * @throws IssuerError `invalid_option` naming the option
 */
export function createIssuer(options: IssuerOptions): Issuer {
  const context = createContext(options)
  const own = createOwnTokens(context)
  const running = createRunning(context)
  const { run } = running
  const knowsOrigin = createBrowserOrigins(context)
  const stopPruning = startPruning(context)
  const { feed: feedOptions } = options
  const feed =
    feedOptions !== undefined && feedOptions.serve !== false ? createFeed(context, feedOptions.ring) : undefined
  const stopUpkeep = feed === undefined ? undefined : startUpkeep(context, feed)
  const document = metadata(context)
  const jwks = createMergedJwks(context.rings)
  const position = createPositionReader(context.stores.revocations)

  let adopted: Adopted | undefined

  async function grant(type: GrantType, operation: () => Promise<TokenAnswer>): Promise<TokenAnswer> {
    try {
      return await run(operation)
    } catch (error) {
      if (isIssuerError(error)) context.emit({ type: 'token_refused', grant: type, error: error.code })
      throw error
    }
  }

  return {
    issuer: context.issuer,
    users: runningUsers(context, running),
    clients: runningClients(context, running),
    sessions: runningSessions(context, running),
    keys: runningKeys(context, running),
    foreign: runningForeign(context, running, () => feed?.catchUp()),
    feed,
    signIn: (request) => grant('sign_in', () => signIn(context, request)),
    useSharedPassword: (shared) =>
      run(async () => {
        adopted = await adoptSharedPassword(context, shared)
        // Before anybody shows a token of before to a guard in this process.
        if (adopted.outcome === 'changed') await feed?.catchUp()
        return adopted.outcome
      }),
    sharedSignIn: (request) => grant('sign_in', () => sharedSignIn(context, adopted, request)),
    clientCredentials: (request) => grant('client_credentials', () => clientCredentials(context, request)),
    exchange: (request) => grant('token_exchange', () => tokenExchange(context, own, request)),
    refresh: (request) => grant('refresh_token', () => refresh(context, request)),
    revoke: (request) => run(() => revoke(context, own, request)),
    introspect: (request) => run(() => introspect(context, own, request)),
    revokeToken: (token, requested) =>
      run(() => revokeToken(context, own, token, requested?.actor ?? { type: 'operator' })),
    issueToken: (clientName, request) =>
      grant('client_credentials', () => issueToken(context, clientName, request ?? {})),
    introspectToken: (token) => run(() => introspectToken(context, own, token)),
    signOut: (credential) => run(() => signOut(context, own, credential)),
    status: (credential) => run(() => status(context, own, credential)),
    knowsOrigin: (origin) => run(() => knowsOrigin(origin)),
    clientAllowsOrigin: (clientId, origin) =>
      run(async () => (await findClient(context, clientId))?.origins.includes(origin) ?? false),
    clientIdOf: (clientIdOrName) => run(async () => (await findClient(context, clientIdOrName))?.id),
    acknowledge: (request) => run(() => acknowledge(context, own, position, request)),
    revocationPosition: () => run(position),
    acknowledgements: () => run(() => context.stores.acknowledgements.live(context.now(), liveSeconds)),
    metadata: () => document,
    jwks: () => running.look(jwks),
    ready: createReady(context, running, feed),
    async close() {
      await Promise.all([running.close(), stopPruning(), stopUpkeep?.(), feed?.close()])
    },
  }
}

function runningUsers(context: Context, { run }: Running): Users {
  const users = createUsers(context)
  return {
    add: (user) => run(() => users.add(user)),
    list: (page) => run(() => users.list(page)),
    disable: (identifier, requested) => run(() => users.disable(identifier, requested)),
    setPassword: (identifier, password, requested) => run(() => users.setPassword(identifier, password, requested)),
    setScopes: (identifier, scopes, requested) => run(() => users.setScopes(identifier, scopes, requested)),
  }
}

function runningClients(context: Context, { run }: Running): Clients {
  const clients = createClients(context)
  return {
    add: (client) => run(() => clients.add(client)),
    list: (page) => run(() => clients.list(page)),
    disable: (name, requested) => run(() => clients.disable(name, requested)),
    rotateSecret: (name, requested) => run(() => clients.rotateSecret(name, requested)),
    rotateKey: (name, publicKey, requested) => run(() => clients.rotateKey(name, publicKey, requested)),
  }
}

function runningForeign(context: Context, { run }: Running, caughtUp: () => Promise<void> | undefined): ForeignIssuers {
  const foreign = createForeignIssuers(context, caughtUp)
  return {
    listening: foreign.listening,
    end: (name, ended, requested) => run(() => foreign.end(name, ended, requested)),
    receive: (name, request) => run(() => foreign.receive(name, request)),
  }
}

function runningKeys(context: Context, { run }: Running): Keys {
  const keys = createKeys(context)
  return {
    blastRadius: (kid, scope) => run(() => keys.blastRadius(kid, scope)),
    revoke: (kid, requested) => run(() => keys.revoke(kid, requested)),
  }
}

function runningSessions(context: Context, { run }: Running): Sessions {
  const sessions = createSessions(context)
  return {
    list: (identifier, page) => run(() => sessions.list(identifier, page)),
    byId: (id) => run(() => sessions.byId(id)),
    revoke: (id, requested) => run(() => sessions.revoke(id, requested)),
  }
}
