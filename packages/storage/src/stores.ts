import { randomBytes } from 'node:crypto'
import type { CredentialStore } from '@countersign/credentials'
import type { IssuerStores } from '@countersign/issuer'
import type { KeyRingStore } from '@countersign/keys'
import type { RevocationLog } from '@countersign/revocation'
import type { Operation } from './operation.ts'
import type { Reads, WriteName, WriteResult, Writes } from './operations.ts'
import { StorageError } from './storage-error.ts'

/** What an engine does with operations. */
export interface Engine {
  readonly reads: Reads
  /** May call `operation` again, when the engine was busy. */
  read<T>(operation: () => Operation<T>): Promise<T>
  /**
   * The same for an operation of several statements, which see the data as of one moment while other calls have their turn
   * between them. Absent: what `read` does with a single large statement holds nobody up.
   */
  readSteadily?<T>(operation: () => Operation<T>): Promise<T>
  /** Unix seconds, for a reading's age. */
  now(): number
  /** Unix seconds by the engine's own clock, asked for; absent: it has none. */
  askNow?(): Promise<number>
  /** Rejects when it cannot be read or written now. */
  check(): Promise<void>
  /** In a transaction; resolves once it is durable. */
  write<K extends WriteName>(name: K, ...args: Parameters<Writes[K]>): Promise<WriteResult<K>>
  /** Calls back after the revocation log, a key ring or a client changed, by anybody; maybe more often. */
  onChange(call: () => void): () => void
}

export interface Stores {
  readonly keys: KeyRingStore
  readonly issuer: IssuerStores
  readonly credentials: CredentialStore
}

/** The ports, over any engine. */
export function storesOver(engine: Engine): Stores {
  const { reads } = engine
  return {
    keys: {
      read: (name) => engine.read(() => reads.readKeyRing(name)),
      replace: (document) => engine.write('replaceKeyRing', document),
      ...(engine.askNow === undefined ? {} : { now: engine.askNow }),
      onChange: (call) => watchKeyRings(engine, call),
    },
    issuer: {
      users: {
        add: (user) => engine.write('addUser', user),
        byId: (id) => engine.read(() => reads.userById(id)),
        byIdentifier: (identifier) => engine.read(() => reads.userByIdentifier(identifier)),
        list: (page) => engine.read(() => reads.listUsers(page)),
        setPassword: (id, passwordHash, now, until) => engine.write('setPassword', id, passwordHash, now, until),
        setScopes: (id, scopes, now, until) => engine.write('setScopes', id, scopes, now, until),
        rehashPassword: (id, from, to) => engine.write('rehashPassword', id, from, to),
        disable: (id, now, until) => engine.write('disableUser', id, now, until),
      },
      clients: {
        add: (client) => engine.write('addClient', client),
        byId: (id) => engine.read(() => reads.clientById(id)),
        byName: (name) => engine.read(() => reads.clientByName(name)),
        list: (page) => engine.read(() => reads.listClients(page)),
        setSecrets: (id, secrets) => engine.write('setSecrets', id, secrets),
        setKeys: (id, keys) => engine.write('setKeys', id, keys),
        disable: (id, now, until) => engine.write('disableClient', id, now, until),
      },
      sessions: {
        open: (entry) => engine.write('openSession', entry),
        byId: (id) => engine.read(() => reads.sessionById(id)),
        byRefresh: (hash) => engine.read(() => reads.sessionByRefresh(hash)),
        ofUser: (userId, page) => engine.read(() => reads.sessionsOfUser(userId, page)),
        rotate: (entry) => engine.write('rotateRefresh', entry),
        forgetReplays: (now) => engine.write('forgetReplays', now),
        end: (id, reason, now, until) => engine.write('endSession', id, reason, now, until),
      },
      issued: {
        add: (issued) => engine.write('addIssued', issued),
        exchange: (entry) => engine.write('exchange', entry),
        status: (jti) => engine.read(() => reads.tokenStatus(jti)),
        foreignEnd: (foreign) => engine.read(() => reads.foreignEnd(foreign)),
        revoke: (jti, now, until) => engine.write('revokeIssued', jti, now, until),
        latestExpiry: () => engine.read(() => reads.latestExpiry()),
        liveByKey: (kids, now) => engine.read(() => reads.liveByKey(kids, now)),
      },
      throttle: {
        read: (keys) => engine.read(() => reads.readThrottle(keys)),
        fail: (keys, rule, now) => engine.write('countFailure', keys, rule, now),
        clear: (key) => engine.write('clearThrottle', key),
      },
      assertions: {
        use: (id, until) => engine.write('useAssertion', id, until),
        forget: (now, limit) => engine.write('forgetAssertions', now, limit),
      },
      revocations: revocationLogOver(engine),
      acknowledgements: {
        put: (acknowledgement, now) => engine.write('acknowledge', acknowledgement, now),
        live: (now, liveSeconds) => engine.read(() => reads.liveAcknowledgements(now, liveSeconds)),
      },
      unrevoked: (wanted) => engine.read(() => reads.unrevoked(wanted)),
      globalGeneration: () => engine.read(() => reads.globalGeneration()),
      prune: (before, limit) => engine.write('prune', before, limit),
      check: () => engine.check(),
    },
    credentials: {
      identity: () => identityOf(engine),
      read: (place) => engine.read(() => reads.readCredential(place)),
      replace: (record, previous) => engine.write('replaceCredential', record, previous),
      remove: (place) => engine.write('removeCredential', place),
      list: (owner) => engine.read(() => reads.listCredentials(owner)),
      page: (after, limit) => engine.read(() => reads.pageOfCredentials(after, limit)),
    },
  }
}

/** Made at the first use. */
async function identityOf(engine: Engine): Promise<string> {
  const look = (): Promise<string | undefined> => engine.read(() => engine.reads.credentialStoreIdentity())
  const known = await look()
  if (known !== undefined) return known
  await engine.write('nameCredentialStore', randomBytes(16).toString('hex'))
  const named = await look()
  if (named === undefined) throw new StorageError('corrupt', 'The store of credentials does not keep its identity.')
  return named
}

function revocationLogOver(engine: Engine): RevocationLog {
  const { reads } = engine
  return {
    async snapshot() {
      // Taken before the look: what is read is at least as new as it says.
      const readAt = engine.now()
      const found =
        engine.readSteadily === undefined
          ? engine.read(() => reads.revocationSnapshot())
          : engine.readSteadily(() => reads.revocationPages())
      return { ...(await found), readAt }
    },
    async after(seq, limit) {
      const readAt = engine.now()
      const found = await engine.read(() => reads.revocationsAfter(seq, limit))
      return found === undefined ? undefined : { ...found, readAt }
    },
    append: (entries, now) => engine.write('appendRevocations', entries, now),
    dropExpired: (now, limit) => engine.write('dropRevocations', now, limit),
    onChange: (call) => engine.onChange(call),
  }
}

/** Reads and writes for real, and durably: what a readiness probe wants to know. */
export async function checkEngine(engine: Pick<Engine, 'read' | 'reads' | 'write'>): Promise<void> {
  await engine.read(() => engine.reads.globalGeneration())
  await engine.write('touch')
}

/** Of all the changes, only those of key rings: a busy issuer writes many times a second. */
function watchKeyRings(engine: Engine, call: () => void): () => void {
  const mark = (): Promise<string> => engine.read(() => engine.reads.keyRingsMark())
  let stopped = false
  let last: string | undefined
  const compare = async (): Promise<void> => {
    // Unreadable now: rather one call too many, since a caller reads the ring itself and sees what is wrong.
    const now = await mark().catch(() => undefined)
    const changed = now === undefined || now !== last
    last = now
    if (changed && !stopped) call()
  }
  // Not read beforehand: what changes while that is on its way would count as known.
  let turn = Promise.resolve()
  const stop = engine.onChange(() => {
    turn = turn.then(compare)
  })
  return () => {
    stopped = true
    stop()
  }
}
