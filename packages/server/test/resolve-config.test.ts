import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineConfig, findConfigFile, isServerError, loadConfig, resolveConfig } from '../src/index.ts'

const consumers = { 'agent-api': { scopes: ['agents:read'], obtainedBy: 'client-credentials' } }
const minimal = { issuer: 'https://auth.example.com', consumers }
const at = { baseDir: '/srv/auth' }

describe('resolveConfig', () => {
  it('fills in what a configuration leaves out', async () => {
    const config = await resolveConfig(minimal, at)
    expect(config).toMatchObject({
      issuer: 'https://auth.example.com',
      host: '127.0.0.1',
      port: 4600,
      dataDir: '/srv/auth/data',
      databaseFile: '/srv/auth/data/countersign.db',
      kekFile: '/srv/auth/data/kek',
      auditFile: '/srv/auth/data/audit.jsonl',
      logLevel: 'info',
      metrics: { host: '127.0.0.1', port: 4601 },
      maxStreams: 2_000,
      trustedProxyHops: 0,
      keys: {},
    })
    expect(config.consumers.consumers['agent-api']?.accessTokenLifeSeconds).toBe(600)
  })

  it('lets the environment override the file', async () => {
    const config = await resolveConfig(minimal, {
      ...at,
      env: {
        COUNTERSIGN_ISSUER: 'http://127.0.0.1:4700',
        COUNTERSIGN_PORT: '4700',
        COUNTERSIGN_HOST: '0.0.0.0',
        COUNTERSIGN_DATA_DIR: '/var/lib/countersign',
        COUNTERSIGN_DATABASE_URL: 'sqlite:/var/lib/other.db',
        COUNTERSIGN_KEK_FILE: '/run/credentials/kek',
        COUNTERSIGN_LOG_LEVEL: 'warn',
        COUNTERSIGN_METRICS_PORT: '0',
        COUNTERSIGN_TRUST_PROXY: '2',
        HOME: '/ignored',
      },
    })
    expect(config).toMatchObject({
      issuer: 'http://127.0.0.1:4700',
      host: '0.0.0.0',
      port: 4700,
      dataDir: '/var/lib/countersign',
      databaseFile: '/var/lib/other.db',
      kekFile: '/run/credentials/kek',
      logLevel: 'warn',
      metrics: { port: 0 },
      trustedProxyHops: 2,
    })
  })

  it('takes a key-encryption key that systemd provides, and only there', async () => {
    const env = { COUNTERSIGN_KEK_FILE: 'credential:kek', CREDENTIALS_DIRECTORY: '/run/credentials/countersign' }
    const wanted = {
      kekFile: '/run/credentials/countersign/kek',
      kekCredential: { name: 'kek', directory: '/run/credentials/countersign' },
    }
    expect(await resolveConfig(minimal, { ...at, env })).toMatchObject(wanted)
    const given = { ...minimal, kekFile: 'credential:kek' }
    expect(
      await resolveConfig(given, { ...at, env: { CREDENTIALS_DIRECTORY: env.CREDENTIALS_DIRECTORY } }),
    ).toMatchObject(wanted)
    await expect(resolveConfig(given, at)).rejects.toMatchObject({ code: 'config_invalid' })
    expect(await resolveConfig(minimal, { ...at, env: { CREDENTIALS_DIRECTORY: '/run' } })).toMatchObject({
      kekCredential: undefined,
    })
  })

  it('takes a database of PostgreSQL, whoever names it', async () => {
    const url = 'postgres://auth@db.example.com/auth'
    const config = await resolveConfig({ ...minimal, database: url, databasePasswordFile: 'password' }, at)
    expect(config).toMatchObject({ databaseUrl: url, databasePasswordFile: '/srv/auth/password' })
    const env = { COUNTERSIGN_DATABASE_URL: url, COUNTERSIGN_DATABASE_PASSWORD_FILE: '/run/secrets/password' }
    const other = await resolveConfig({ ...minimal, database: 'sqlite:here.db' }, { ...at, env })
    expect(other).toMatchObject({ databaseUrl: url, databasePasswordFile: '/run/secrets/password' })
    const back = { COUNTERSIGN_DATABASE_URL: 'sqlite:/srv/here.db' }
    expect(await resolveConfig({ ...minimal, database: url }, { ...at, env: back })).toMatchObject({
      databaseUrl: undefined,
      databaseFile: '/srv/here.db',
    })
  })

  it('turns metrics off when asked', async () => {
    expect((await resolveConfig({ ...minimal, metrics: false }, at)).metrics).toBeUndefined()
  })

  it('takes paths relative to the file that names them', async () => {
    const config = await resolveConfig(
      { ...minimal, dataDir: '../keep', database: 'sqlite:here.db', previousKekFiles: ['old-kek'] },
      at,
    )
    expect(config.previousKekFiles).toEqual(['/srv/auth/old-kek'])
    expect(config.dataDir).toBe('/srv/keep')
    expect(config.databaseFile).toBe('/srv/auth/here.db')
  })

  const refused: [why: string, input: unknown, says: RegExp, env?: Record<string, string>][] = [
    ['is no object', null, /configuration/],
    ['has no issuer', { consumers }, /issuer/],
    ['has an issuer that is no URL', { ...minimal, issuer: 'auth' }, /issuer: expected a URL/],
    ['has a plain http issuer', { ...minimal, issuer: 'http://auth.example.com' }, /https URL, or http on loopback/],
    ['has a trailing slash', { ...minimal, issuer: 'https://auth.example.com/' }, /trailing slash/],
    ['has a query', { ...minimal, issuer: 'https://auth.example.com?x=1' }, /without query/],
    ['has credentials', { ...minimal, issuer: 'https://a:b@auth.example.com' }, /credentials/],
    ['has an issuer in another spelling', { ...minimal, issuer: 'https://AUTH.example.com' }, /normal form/],
    ['has no consumers', { issuer: minimal.issuer }, /consumers/],
    ['has a setting that does not exist', { ...minimal, isuer: 'x' }, /isuer/],
    ['has a port out of range', { ...minimal, port: 70_000 }, /port/],
    ['has another database', { ...minimal, database: 'mysql://x' }, /sqlite:PATH/],
    ['asks for the demo policy in public', { ...minimal, keys: { policy: 'demo' } }, /loopback/],
    [
      'has a blackout without a zone',
      { ...minimal, keys: { blackouts: [{ from: '09:00', to: '17:00' }] } },
      /keys\.blackouts\.0\.zone/,
    ],
    [
      'has a blackout on days that there are not',
      { ...minimal, keys: { blackouts: [{ from: '09:00', to: '17:00', zone: 'UTC', days: ['Mo'] }] } },
      /keys\.blackouts\.0\.days\.0/,
    ],
    [
      'probes a public JWKS over plain http',
      { ...minimal, keys: { publicJwksUrls: ['http://auth.example.com/jwks.json'] } },
      /keys\.publicJwksUrls\.0: expected an https URL/,
    ],
    ['has an unknown log level', { ...minimal, log: { level: 'loud' } }, /log\.level/],
    ['has no streams', { ...minimal, revocations: { maxStreams: 0 } }, /revocations\.maxStreams/],
    ['has a million streams', { ...minimal, revocations: { maxStreams: 1_000_000 } }, /revocations\.maxStreams/],
    ['trusts a hundred proxies', { ...minimal, trustedProxyHops: 100 }, /trustedProxyHops/],
    ['has a port in the environment that is no number', minimal, /COUNTERSIGN_PORT/, { COUNTERSIGN_PORT: '46oo' }],
    ['has a level in the environment that is none', minimal, /COUNTERSIGN_LOG_LEVEL/, { COUNTERSIGN_LOG_LEVEL: '' }],
  ]
  it.each(refused)('refuses a configuration that %s', async (_why, input, says, env = {}) => {
    const error: unknown = await resolveConfig(input, { ...at, env }).catch((thrown: unknown) => thrown)
    expect(isServerError(error) && error.code).toBe('config_invalid')
    expect(String(error)).toMatch(says)
  })

  it('refuses a broken matrix with the error of the matrix', async () => {
    await expect(
      resolveConfig({ ...minimal, consumers: { 'agent-api': { scopes: ['nocolon'] } } }, at),
    ).rejects.toMatchObject({ name: 'ConsumersError' })
  })
})

describe('loadConfig', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-config-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  it('reads TypeScript, with the matrix in a file of its own', async () => {
    await writeFile(
      join(dir, 'countersign.config.ts'),
      `export default { issuer: 'https://auth.example.com' as string, consumers: './consumers.json' }\n`,
    )
    await writeFile(join(dir, 'consumers.json'), JSON.stringify(consumers))
    const config = await loadConfig({ cwd: dir })
    expect(config.file).toBe(join(dir, 'countersign.config.ts'))
    expect(Object.keys(config.consumers.consumers)).toEqual(['agent-api'])
  })

  it('says where it looked when there is none', async () => {
    await writeFile(join(dir, 'package.json'), '{}')
    const inner = await mkdtemp(join(dir, 'inner-'))
    await writeFile(join(inner, 'package.json'), '{}')
    expect(findConfigFile(inner)).toBeUndefined()
    const error: unknown = await loadConfig({ cwd: inner }).catch((thrown: unknown) => thrown)
    expect(isServerError(error) && error.code).toBe('config_not_found')
    expect(String(error)).toContain(inner)
  })

  it('finds the nearest one upwards, to the folder of the nearest package.json', async () => {
    const inner = await mkdtemp(join(dir, 'deep-'))
    expect(findConfigFile(inner)).toBe(join(dir, 'countersign.config.ts'))
  })

  const unreadable: [why: string, name: string, text: string][] = [
    ['is no JSON', 'broken.json', '{ issuer: }'],
    ['throws', 'throws.js', 'throw new Error("no")'],
    ['does not parse', 'broken.ts', 'export default {'],
  ]
  it.each(unreadable)('says so when a file %s', async (_why, name, text) => {
    await writeFile(join(dir, name), text)
    await expect(loadConfig({ cwd: dir, file: name })).rejects.toMatchObject({ code: 'config_unreadable' })
  })

  it('names a file that does not exist', async () => {
    await expect(loadConfig({ cwd: dir, file: 'none.json' })).rejects.toMatchObject({ code: 'config_not_found' })
  })
})

it('types a configuration and changes nothing', () => {
  const config = { issuer: 'https://auth.example.com', consumers: './consumers.ts' }
  expect(defineConfig(config)).toBe(config)
})
