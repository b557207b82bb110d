import type { ConsumerMatrix } from '@countersign/consumers'
import { consumerConfirmations, createIssuer, type Issuer, type IssuerLimits } from '@countersign/issuer'
import { createKeyRing, demoPolicy, type KeyPolicy, type KeyRing, publicJwksProbe } from '@countersign/keys'
import { openAuditLog, type Reporter } from '@countersign/observability'
import type { KekSource } from '@countersign/sealing'
import type { PostgresEvent } from '@countersign/storage/postgres'
import { type Clock, systemClock } from '@countersign/tokens'
import type { KeysConfig } from './config.ts'
import { requireDataDir } from './data-dir.ts'
import { kekOf } from './kek-of.ts'
import { openDatabase, type ServiceDatabase } from './open-database.ts'
import { rememberClients } from './remembered-clients.ts'
import type { ResolvedConfig } from './resolve-config.ts'
import { feedLifeSeconds, feedRingName, planRings, type RingPlan } from './rings.ts'
import { createUndoStack } from './undo-stack.ts'

/** The parts of a token service over its store, without a listening socket: what the command line works with. */
export interface TokenServiceParts {
  readonly config: ResolvedConfig
  readonly consumers: ConsumerMatrix
  readonly issuer: Issuer
  /** One for each algorithm that the matrix uses. */
  readonly rings: readonly KeyRing[]
  /** Signs the revocation feed, and nothing else. */
  readonly feedRing: KeyRing
  /** Where `@countersign/credentials` keeps what it seals. */
  readonly credentialStore: ServiceDatabase['stores']['credentials']
  /** What the signing keys are sealed under. */
  readonly kek: KekSource
  /** Reads and writes the store for real. @throws StorageError why it cannot */
  check(): Promise<void>
  close(): Promise<void>
}

export interface OpenOptions {
  /** Whether this process rotates keys when they are due. @default false: a command beside a running service does not */
  readonly scheduler?: boolean
  /** Whether this process serves the revocation feed and looks after the log. @default the same as `scheduler` */
  readonly feed?: boolean
  /** Where events go. @default nowhere */
  readonly report?: Reporter
  /** Called once when the store can write no more; the process should end. */
  readonly onFatal?: (error: Error) => void
  /** Called with what happens to the connections to PostgreSQL. */
  readonly onDatabaseEvent?: (event: PostgresEvent) => void
  /** @default the machine's clock */
  readonly clock?: Clock
  readonly limits?: IssuerLimits
  /** The key-encryption key, in place of the configuration's file, which need not be there then. @default the file */
  readonly kek?: KekSource
  /** Whether client records are remembered for up to 250 ms, as a busy service wants it. @default false */
  readonly rememberClients?: boolean
}

/**
 * Opens the store, the key rings (made on the first opening) and the issuer of a configuration. Any number of processes
 * may do so at once.
 *
 * @throws ServerError `not_initialised` without a key-encryption key or a database; StorageError, KeysError, SealingError and
 * ObservabilityError of the parts
 */
export async function openTokenService(config: ResolvedConfig, options: OpenOptions = {}): Promise<TokenServiceParts> {
  await requireDataDir(config, { kek: options.kek === undefined ? 'file' : 'given' })
  const { report } = options
  const opened = createUndoStack()
  try {
    const kek = options.kek ?? kekOf(config)
    const audit = await openAuditLog(config.auditFile, report === undefined ? {} : { onEvent: report.audit })
    opened.push(() => audit.close())
    const database = await openDatabase(config, options)
    opened.push(() => database.close())

    const rings: KeyRing[] = []
    for (const plan of planRings(config.consumers)) {
      const ring = await openRing(plan, { config, options, kek, database, audit })
      opened.push(() => ring.close())
      rings.push(ring)
    }
    const feedRing = await openFeedRing({ config, options, kek, database, audit })
    opened.push(() => feedRing.close())
    let issuerStores = database.stores.issuer
    if (options.rememberClients === true) {
      const remembered = rememberClients(issuerStores, (call) => database.onChange(call), options.clock)
      opened.push(async () => remembered.stop())
      issuerStores = remembered.stores
    }
    const issuer = createIssuer({
      issuer: config.issuer,
      rings,
      feed: { ring: feedRing, serve: options.feed ?? options.scheduler ?? false },
      consumers: config.consumers,
      subjectVerifiers: config.subjectVerifiers,
      stores: issuerStores,
      audit,
      ...(report === undefined ? {} : { onEvent: report.issuer }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    })
    opened.push(() => issuer.close())
    return {
      config,
      consumers: config.consumers,
      issuer,
      rings,
      feedRing,
      credentialStore: database.stores.credentials,
      kek,
      check: () => database.check(),
      close: () => opened.undo(),
    }
  } catch (error) {
    await opened.undo()
    throw error
  }
}

interface RingSurroundings {
  readonly config: ResolvedConfig
  readonly options: OpenOptions
  readonly kek: KekSource
  readonly database: ServiceDatabase
  readonly audit: Awaited<ReturnType<typeof openAuditLog>>
}

function openRing(plan: RingPlan, { config, options, kek, database, audit }: RingSurroundings): Promise<KeyRing> {
  return createKeyRing({
    store: database.stores.keys,
    kek,
    issuer: config.issuer,
    name: plan.name,
    algorithm: plan.algorithm,
    policy: keyPolicy(config.keys, plan.accessTokenLifeSeconds),
    audit,
    confirmations: [
      publicJwksProbe(config.keys.publicJwksUrls ?? []),
      consumerConfirmations(database.stores.issuer.acknowledgements, () => (options.clock ?? systemClock).now()),
    ],
    scheduler: options.scheduler ?? false,
    ...(options.report === undefined ? {} : { onEvent: options.report.keys }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
}

function openFeedRing({ config, options, kek, database, audit }: RingSurroundings): Promise<KeyRing> {
  return createKeyRing({
    store: database.stores.keys,
    kek,
    issuer: config.issuer,
    name: feedRingName,
    purpose: 'feed',
    policy: keyPolicy(config.keys, feedLifeSeconds),
    audit,
    scheduler: options.scheduler ?? false,
    ...(options.report === undefined ? {} : { onEvent: options.report.keys }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
}

/** The rotation policy that a configuration asks for, for tokens of the given life. */
export function keyPolicy(keys: KeysConfig, accessTokenLifeSeconds: number): KeyPolicy {
  const { policy, publicJwksUrls: _, ...rules } = keys
  const given = { ...rules, accessTokenLifeSeconds }
  return policy === 'demo' ? demoPolicy(given) : given
}
