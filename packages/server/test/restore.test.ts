import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FeedEvent, followRevocations, type RevocationFollower } from '@countersign/revocation'
import { createVerifier } from '@countersign/tokens'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  backUpService,
  createDataDir,
  openTokenService,
  type ResolvedConfig,
  type RestoredService,
  type RunningTokenService,
  resolveConfig,
  restoreService,
  startTokenService,
} from '../src/index.ts'

const issuer = 'http://127.0.0.1:4600'
const input = {
  issuer,
  port: 0,
  consumers: {
    'agent-api': { scopes: ['agents:read'], obtainedBy: ['sign-in', 'client-credentials'], refresh: 'body' },
  },
  metrics: false,
} as const
const password = 'correct horse battery staple'

let dir: string
let backup: string
let config: ResolvedConfig
let service: RunningTokenService | undefined
const open: { close(): Promise<void> }[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-restore-'))
  backup = join(dir, 'saved.backup')
  config = await resolveConfig(input, { baseDir: dir })
  await createDataDir(config)
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
  await stop()
  await rm(dir, { recursive: true })
})

async function start(of: ResolvedConfig = config): Promise<RunningTokenService> {
  service = await startTokenService(of, { logDestination: { write: () => {} } })
  await service.issuer.feed?.started
  return service
}

async function stop(): Promise<void> {
  await service?.close()
  service = undefined
}

/** The accounts that the tests use. */
async function populate({ issuer: { users, clients } }: RunningTokenService): Promise<void> {
  for (const identifier of ['ada', 'bob', 'eve']) await users.add({ identifier, password })
  await clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
  await clients.add({ name: 'nightly', grants: ['client_credentials'], audiences: ['agent-api'] })
}

const client = { method: 'none', clientId: 'web' } as const

async function signIn({ issuer: { signIn: enter } }: RunningTokenService, identifier: string) {
  const { accessToken, sessionId, refresh: given } = await enter({ client, identifier, secret: password })
  return { accessToken, sessionId, refreshToken: given?.token ?? '' }
}

async function refresh({ issuer: { refresh: renew } }: RunningTokenService, refreshToken: string) {
  const { accessToken, refresh: given } = await renew({ client, refreshToken, deliveredBy: 'body' })
  return { accessToken, refreshToken: given?.token ?? '' }
}

/** A consumer: its address of the service stays, whatever process answers there. */
function follow(): { follower: RevocationFollower; heard: (wanted: (event: FeedEvent) => boolean) => Promise<void> } {
  const events: FeedEvent[] = []
  const waiting = new Set<() => void>()
  const follower = followRevocations(`${issuer}/revocations`, {
    consumer: 'agent-api',
    limits: { requestTimeoutMs: 1_000 },
    fetch: async (url, init) => {
      if (service === undefined) throw new TypeError('fetch failed')
      return await fetch(String(url).replace(issuer, service.url), init)
    },
    onEvent(event) {
      events.push(event)
      for (const look of waiting) look()
    },
  })
  open.push(follower)
  const heard = (wanted: (event: FeedEvent) => boolean): Promise<void> => {
    const from = events.length
    return new Promise((resolve) => {
      waiting.add(() => {
        if (events.slice(from).some(wanted)) resolve()
      })
    })
  }
  return { follower, heard }
}

/** What a guard says of a token: a good signature by keys it holds, then what is revoked. */
async function isRefused(follower: RevocationFollower, keys: RunningTokenService, token: string): Promise<boolean> {
  const ring = keys.rings[0]
  if (ring === undefined) throw new Error('no ring')
  const principal = await createVerifier({ issuer, audience: 'agent-api', keys: ring.keys }).verify(token)
  return follower.isRevoked(principal)
}

const restore = (): Promise<RestoredService> =>
  restoreService(config, backup, { replace: { keepAt: join(dir, `kept-${Date.now()}.backup`) } })

describe('a restore', () => {
  it('makes nothing good again that was spent, revoked or signed out after the backup', async () => {
    const before = await start()
    await populate(before)
    const [ada, bob, eve, kept] = [
      await signIn(before, 'ada'),
      await signIn(before, 'bob'),
      await signIn(before, 'eve'),
      await signIn(before, 'ada'),
    ]
    const { follower, heard } = follow()
    await follower.whenReady()
    await backUpService(config, backup)

    const renewed = await refresh(before, ada.refreshToken)
    expect(await before.issuer.revokeToken(bob.accessToken)).toBe(true)
    expect(await before.issuer.signOut({ token: eve.refreshToken, deliveredBy: 'body' })).toBe(true)
    const tokens = [ada, bob, eve, kept, renewed].map(({ accessToken }) => accessToken)
    await expect(restore()).rejects.toMatchObject({ code: 'in_use' })
    await stop()
    await rename(config.databaseFile, join(dir, 'old.db'))
    await cp(join(dir, 'old.db'), config.databaseFile)

    const restored = await restore()
    expect(restored.fault).toBeUndefined()
    const renewedLife = heard((event) => event.type === 'feed_loaded')
    const after = await start()
    await renewedLife
    expect(follower.view.position).toMatchObject({ epoch: restored.feedEpoch })

    // Also what was neither spent nor revoked: which is which, the backup does not know.
    for (const { refreshToken } of [ada, bob, eve, kept, renewed]) {
      await expect(refresh(after, refreshToken)).rejects.toMatchObject({ code: 'invalid_grant' })
    }
    for (const token of tokens) {
      expect(await isRefused(follower, after, token)).toBe(true)
      expect(await after.issuer.introspectToken(token)).toEqual({ active: false })
    }
    const again = await signIn(after, 'ada')
    expect(await isRefused(follower, after, again.accessToken)).toBe(false)
    expect(await after.issuer.introspectToken(again.accessToken)).toMatchObject({ active: true })
    const next = await refresh(after, again.refreshToken)
    expect(await isRefused(follower, after, next.accessToken)).toBe(false)
    const machine = await after.issuer.issueToken('nightly')
    expect(await isRefused(follower, after, machine.accessToken)).toBe(false)

    // The database of before, started by mistake: nobody who has seen the new life believes it.
    await stop()
    const refused = heard((event) => event.type === 'feed_failed' && event.error.code === 'replayed')
    await start({ ...config, databaseFile: join(dir, 'old.db') })
    await refused
    expect(follower.view.position).toMatchObject({ epoch: restored.feedEpoch })
  })

  it('repeats what was done for good after the backup, and says what only people can repeat', async () => {
    const before = await start()
    await populate(before)
    await backUpService(config, backup)
    const stolen = before.rings[0]?.signer.kid ?? ''
    const stolenFeedKey = before.feedRing.signer.kid
    await before.issuer.keys.revoke(stolen, { reason: 'stolen' })
    await before.issuer.users.disable('eve')
    await before.issuer.clients.disable('nightly')
    await before.issuer.users.setPassword('bob', 'another password of his')
    await before.issuer.users.add({ identifier: 'zoe', password })
    await stop()
    // The database is lost with all that it knew; the audit log is not.
    await rm(config.databaseFile)

    const { undone, fault } = await restoreService(config, backup)
    expect(fault).toBeUndefined()
    const told = undone?.map(({ action, name, state }) => `${action} ${name} ${state}`)
    expect(told?.filter((line) => line.startsWith('key.revoke'))).not.toEqual([])
    expect(told?.filter((line) => !line.startsWith('key.revoke')).sort()).toEqual([
      'client.disable nightly repeated',
      'user.add null gone',
      'user.disable eve repeated',
      'user.set_password bob by_hand',
    ])

    const after = await start()
    const states = [...after.rings, after.feedRing].flatMap((ring) => ring.status().keys)
    for (const kid of [stolen, stolenFeedKey]) {
      expect(states.find((key) => key.kid === kid)?.state).toBe('revoked')
    }
    expect(after.issuer.feed?.isKeyRevoked(stolen)).toBe(true)
    await expect(signIn(after, 'eve')).rejects.toMatchObject({ code: 'invalid_grant' })
    await expect(after.issuer.issueToken('nightly')).rejects.toMatchObject({ code: 'already_disabled' })
    const records = (await readFile(config.auditFile, 'utf8')).trim().split('\n')
    expect(records.filter((line) => line.includes('"action":"store.backup"'))).toHaveLength(1)
    expect(records.filter((line) => line.includes('"action":"store.restore"'))).toHaveLength(1)
  })

  it('does not trust a key again that only the replaced database knew to be revoked', async () => {
    const before = await start()
    await populate(before)
    await backUpService(config, backup)
    const stolen = before.rings[0]?.signer.kid ?? ''
    await before.issuer.keys.revoke(stolen, { reason: 'stolen', scope: 'key' })
    await stop()
    await rm(config.auditFile)
    const { undone, revokedKeys } = await restore()
    expect([undone, revokedKeys]).toEqual([undefined, [stolen]])
    const after = await start()
    expect(after.rings[0]?.signer.kid).not.toBe(stolen)
    expect(after.issuer.feed?.isKeyRevoked(stolen)).toBe(true)
  })

  it('tells that the key-encryption key is another one', async () => {
    const before = await start()
    await populate(before)
    await backUpService(config, backup)
    await before.issuer.users.disable('eve')
    await stop()
    await rm(config.databaseFile)
    await rm(config.kekFile)
    const { fault, undone } = await restoreService(config, backup)
    expect(fault).toMatchObject({ code: 'not_initialised' })
    expect(undone).toMatchObject([{ action: 'user.disable', state: 'by_hand' }])
  })

  it('works with a key-encryption key that systemd provides', async () => {
    await stop()
    const directory = join(dir, 'credentials')
    await mkdir(directory)
    await cp(config.kekFile, join(directory, 'kek'))
    await rm(config.kekFile)
    // As systemd does: to be read, and by nobody else.
    await chmod(join(directory, 'kek'), 0o400)
    const env = { COUNTERSIGN_KEK_FILE: 'credential:kek', CREDENTIALS_DIRECTORY: directory }
    const service = await start(await resolveConfig(input, { baseDir: dir, env }))
    await populate(service)
    expect(await signIn(service, 'ada')).toMatchObject({ accessToken: expect.any(String) })
  })

  it('records nothing of a restore that is refused', async () => {
    const before = await openTokenService(config)
    await before.close()
    await writeFile(backup, 'no backup')
    await expect(restore()).rejects.toMatchObject({ code: 'not_a_backup' })
    await rm(backup)
    await backUpService(config, backup)
    await expect(restoreService(config, backup)).rejects.toMatchObject({ code: 'not_empty' })
    expect(await readFile(config.auditFile, 'utf8')).not.toContain('store.restore')
  })
})
