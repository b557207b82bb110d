import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FakeClerk, fakeClerk } from '@countersign/clerk-convex/testing'
import { systemClock } from '@countersign/tokens'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunOptions, run } from './run.ts'

interface Finding {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly where: string
  readonly remedy: string | null
}

const publishable = (kind: 'test' | 'live', host: string): string => `pk_${kind}_${btoa(`${host}$`)}`
const secretKey = `sk_live_${'a1'.repeat(20)}`
const webhookSecret = `whsec_${'bB3'.repeat(14)}`
/** Never to be told. */
const secrets = [secretKey, webhookSecret, 'a1a1a1', 'bB3bB3']

const prod = {
  CLERK_STAGE: 'prod',
  CLERK_PUBLISHABLE_KEY: publishable('live', 'clerk.example.com'),
  CLERK_SECRET_KEY: secretKey,
  CLERK_ISSUER: 'https://clerk.example.com',
  CLERK_WEBHOOK_SIGNING_SECRET: webhookSecret,
  CLERK_AUTHORIZED_PARTIES: 'https://app.example.com',
}

const offline: typeof fetch = () => Promise.reject(new Error('nothing asks the network'))

async function examine(argv: readonly string[], env: Record<string, string | undefined>, more: RunOptions = {}) {
  const ran = await run(['doctor', 'clerk', '--json', ...argv], { env, fetch: offline, ...more })
  for (const secret of secrets) expect(ran.stdout + ran.stderr).not.toContain(secret)
  const { findings } = ran.json() as { findings: Finding[] }
  return { exitCode: ran.exitCode, findings, faults: findings.filter(({ level }) => level !== 'ok') }
}

let folder: string
let clerk: FakeClerk
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-doctor-clerk-'))
  clerk = await fakeClerk()
})
afterAll(async () => {
  await clerk.close()
  await rm(folder, { recursive: true })
})

describe('doctor clerk', () => {
  it('finds nothing where everything is in order, and says where each setting is from', async () => {
    const { exitCode, faults, findings } = await examine([], prod)
    expect({ exitCode, faults }).toEqual({ exitCode: 0, faults: [] })
    expect(findings.map(({ where }) => where)).toEqual(Object.keys(prod))
    const told = await run(['doctor', 'clerk'], { env: prod, fetch: offline })
    expect(told.stdout).toMatch(/\nno errors, no warnings\n$/u)
  })

  const ills: [what: string, env: Record<string, string | undefined>, where: string, says: RegExp, remedy: RegExp][] = [
    ['no secret key', { CLERK_SECRET_KEY: undefined }, 'CLERK_SECRET_KEY', /missing/, /API keys/],
    ['an empty issuer', { CLERK_ISSUER: '' }, 'CLERK_ISSUER', /missing/, /Frontend API URL/],
    ['no sites', { CLERK_AUTHORIZED_PARTIES: ' ' }, 'CLERK_AUTHORIZED_PARTIES', /missing/, /any site/],
    [
      'no signing secret',
      { CLERK_WEBHOOK_SIGNING_SECRET: undefined },
      'CLERK_WEBHOOK_SIGNING_SECRET',
      /missing/,
      /roles/,
    ],
    [
      'another secret for the webhooks',
      { CLERK_WEBHOOK_SIGNING_SECRET: secretKey },
      'CLERK_WEBHOOK_SIGNING_SECRET',
      /wrong form/,
      /whsec_/,
    ],
    ['the keys exchanged', { CLERK_PUBLISHABLE_KEY: secretKey }, 'CLERK_PUBLISHABLE_KEY', /wrong form/, /pk_/],
    [
      'a test key in prod',
      { CLERK_PUBLISHABLE_KEY: publishable('test', 'clerk.example.com') },
      'CLERK_PUBLISHABLE_KEY',
      /not for prod/,
      /development instance/,
    ],
    ['a live key in dev', { CLERK_STAGE: 'dev' }, 'CLERK_PUBLISHABLE_KEY', /not for dev/, /real people/],
    [
      'keys of two kinds',
      { CLERK_STAGE: 'staging', CLERK_PUBLISHABLE_KEY: publishable('test', 'clerk.example.com') },
      'CLERK_SECRET_KEY',
      /another kind of instance/,
      /both of one/,
    ],
    [
      'an issuer of another instance',
      { CLERK_ISSUER: 'https://clerk.other.com' },
      'CLERK_ISSUER',
      /publishable key's instance/,
      /another instance/,
    ],
    ['an issuer with a slash', { CLERK_ISSUER: 'https://clerk.example.com/' }, 'CLERK_ISSUER', /wrong form/, /slash/],
    ['http in prod', { CLERK_ISSUER: 'http://clerk.example.com' }, 'CLERK_ISSUER', /not safe/, /https/],
    [
      'loopback in prod',
      { CLERK_AUTHORIZED_PARTIES: 'https://app.example.com,http://localhost:3000' },
      'CLERK_AUTHORIZED_PARTIES',
      /not safe/,
      /Entry 1/,
    ],
    ['a stage that is none', { CLERK_STAGE: 'production' }, 'CLERK_STAGE', /wrong form/, /dev, staging or prod/],
  ]
  it.each(ills)('tells of %s', async (_what, env, where, says, remedy) => {
    const { exitCode, faults } = await examine([], { ...prod, ...env })
    expect(exitCode).toBe(1)
    expect(faults).toContainEqual({
      check: 'settings',
      level: 'error',
      what: expect.stringMatching(says),
      where,
      remedy: expect.stringMatching(remedy),
    })
  })

  it('reads a file of variables, the names of frameworks, and options before both', async () => {
    const { CLERK_PUBLISHABLE_KEY: key, CLERK_ISSUER: issuer, ...others } = prod
    const names = { ...others, NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY: key, CLERK_FRONTEND_API_URL: issuer }
    await writeFile(
      join(folder, '.env.production'),
      Object.entries(names)
        .map((pair) => pair.join('='))
        .join('\n'),
    )
    const { exitCode, findings } = await examine(['--env-file', '.env.production'], {}, { cwd: folder })
    expect(exitCode).toBe(0)
    expect(findings.map(({ where }) => where)).toContain('NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY (.env.production)')

    const party = ['--authorized-party', 'http://localhost:3000']
    const { faults } = await examine(['--stage', 'prod', '--issuer', 'https://x.example.com', ...party], prod)
    expect(faults.map(({ where }) => where)).toEqual(['--issuer', '--authorized-party'])
  })

  it('is wrong usage without a stage, and for a file that is none', async () => {
    const without = await run(['doctor', 'clerk'], { env: { ...prod, CLERK_STAGE: undefined } })
    expect([without.exitCode, without.stderr]).toEqual([2, expect.stringContaining('--stage')])
    const missing = await run(['doctor', 'clerk', '--stage', 'dev', '--env-file', 'nowhere'], { env: {}, cwd: folder })
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining('nowhere')])
  })

  it('shows examples, and takes no secret as an option', async () => {
    const { stdout } = await run(['doctor', 'clerk', '--help'])
    expect(stdout).toContain('countersign doctor clerk --stage prod --online --json')
    expect(stdout).not.toContain('--secret')
  })
})

describe('doctor clerk --auth-config', () => {
  const issuer = prod.CLERK_ISSUER
  const oidc = { domain: issuer, applicationID: 'convex' }
  const data = 'data:application/json;base64,eyJrZXlzIjpbXX0='
  const pinned = { type: 'customJwt', issuer, applicationID: 'convex', jwks: data, algorithm: 'RS256' }
  const ills: [what: string, config: unknown, level: string, says: RegExp][] = [
    ['two that fit the same tokens', { providers: [oidc, pinned] }, 'error', /providers\.0 and providers\.1/],
    [
      'one that has an audience beside one that has none',
      { providers: [{ ...pinned, applicationID: undefined }, oidc] },
      'error',
      /fit the same/,
    ],
    ['one without an audience', { providers: [{ ...pinned, applicationID: undefined }] }, 'warning', /any audience/],
    ['none that is Clerk', { providers: [{ ...oidc, domain: 'https://other.example.com' }] }, 'error', /No provider/],
    ['one with a slash', { providers: [{ ...oidc, domain: `${issuer}/` }] }, 'error', /another way/],
    ['one without https', { providers: [{ ...oidc, domain: 'clerk.example.com' }] }, 'error', /another way/],
    ['EdDSA by a key set', { providers: [{ ...pinned, algorithm: 'EdDSA' }] }, 'error', /can use/],
    ['no provider at all', { providers: [] }, 'error', /can use/],
    ['something else', 'hello', 'error', /can use/],
  ]
  it.each(ills)('tells of %s', async (_what, config, level, says) => {
    await writeFile(join(folder, 'auth.config.json'), JSON.stringify(config))
    const { exitCode, faults } = await examine(['--auth-config', 'auth.config.json'], prod, { cwd: folder })
    expect(exitCode).toBe(level === 'error' ? 1 : 0)
    const expected = { check: 'auth.config', level, what: expect.stringMatching(says), where: 'auth.config.json' }
    expect(faults).toContainEqual(expect.objectContaining(expected))
  })

  it('runs a module, and does not tell why one throws', async () => {
    await writeFile(
      join(folder, 'good.config.ts'),
      `const config: object = { providers: [${JSON.stringify(oidc)}] }\nexport default config\n`,
    )
    const good = await examine(['--auth-config', 'good.config.ts'], prod, { cwd: folder })
    expect([good.exitCode, good.findings.at(-1)?.check]).toEqual([0, 'auth.config'])
    await writeFile(join(folder, 'bad.config.ts'), `throw new Error('${secretKey}')\n`)
    const bad = await examine(['--auth-config', 'bad.config.ts'], prod, { cwd: folder })
    expect([bad.exitCode, bad.faults[0]?.what]).toEqual([1, 'The file cannot be loaded.'])
  })
})

describe('doctor clerk --online', () => {
  const dev = () => ({
    CLERK_STAGE: 'dev',
    CLERK_PUBLISHABLE_KEY: clerk.publishableKey,
    CLERK_SECRET_KEY: clerk.secretKey,
    CLERK_ISSUER: clerk.issuer,
    CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret,
    CLERK_AUTHORIZED_PARTIES: 'http://localhost:3000',
    CLERK_API_URL: clerk.apiUrl,
  })
  const online = async (env: Record<string, string | undefined>, more: RunOptions = {}) => {
    const { exitCode, findings } = await examine(['--online'], env, { fetch: globalThis.fetch, ...more })
    return { exitCode, told: findings.filter(({ check }) => check === 'instance' || check === 'clock') }
  }
  const whats = (told: readonly Finding[]) => told.filter(({ level }) => level !== 'ok').map(({ what }) => what)

  it('asks Clerk, which confirms the settings', async () => {
    const { exitCode, told } = await online(dev())
    expect([exitCode, told.map(({ level }) => level)]).toEqual([0, ['ok', 'ok', 'ok']])
  })

  it('tells of a secret key that Clerk refuses, and of one that is another instance’s', async () => {
    const refused = await online({ ...dev(), CLERK_SECRET_KEY: `sk_test_${'c3'.repeat(20)}` })
    expect([refused.exitCode, whats(refused.told)]).toEqual([1, ['Clerk refuses the secret key.']])
    const other = await fakeClerk()
    try {
      const mixed = await online({ ...dev(), CLERK_SECRET_KEY: other.secretKey, CLERK_API_URL: other.apiUrl })
      expect(whats(mixed.told)).toEqual(['The secret key is of another instance than the issuer.'])
    } finally {
      await other.close()
    }
  })

  it('tells of a development instance in prod, of a clock that is wrong, and of an instance that is away', async () => {
    const prodHere = await online({ ...dev(), CLERK_STAGE: 'prod' })
    expect(whats(prodHere.told)).toEqual(['The instance is for development.'])
    const late = await online(dev(), { clock: { ...systemClock, now: () => systemClock.now() - 60 } })
    expect(whats(late.told)).toEqual([expect.stringMatching(/^This clock and Clerk's are \d+ s apart\.$/)])
    clerk.setOutage('unavailable')
    try {
      const away = await online(dev())
      expect([away.exitCode, whats(away.told)]).toEqual([1, ['The instance answers 503.']])
    } finally {
      clerk.setOutage(undefined)
    }
  })

  it('sends the secret key to nobody over plain http', async () => {
    const asked: string[] = []
    const fetch: typeof globalThis.fetch = (input, init) => {
      asked.push(String(input))
      return globalThis.fetch(input, init)
    }
    const { told } = await online({ ...dev(), CLERK_API_URL: 'http://api.example.com' }, { fetch })
    expect(whats(told)).toEqual(['The Backend API was not asked.'])
    expect(asked).toEqual([`${clerk.issuer}/.well-known/jwks.json`])
  })

  it('asks nobody where the issuer is none', async () => {
    const { told } = await online({ ...dev(), CLERK_ISSUER: 'http://clerk.example.com' }, { fetch: offline })
    expect(whats(told)).toEqual([expect.stringContaining('not asked')])
  })
})
