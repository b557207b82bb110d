import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clerkSettings, clerkSubjectsOf } from '../src/clerk.ts'
import { consumers, startFleetTokenService } from '../src/index.ts'

const secret = `whsec_${'a'.repeat(44)}`
const env = {
  CLERK_ISSUER: 'https://clerk.example.com',
  CLERK_AUTHORIZED_PARTIES: 'https://app.example.com, https://admin.example.com',
  CLERK_WEBHOOK_SIGNING_SECRET: secret,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-clerk-settings-'))
})
afterAll(() => rm(folder, { recursive: true }))

it('needs nothing of Clerk, and takes lists by commas', async () => {
  expect(await clerkSettings({})).toBeUndefined()
  expect(await clerkSettings({ ...env, CLERK_ORGANIZATIONS: 'org_a,org_b' })).toEqual({
    issuer: 'https://clerk.example.com',
    authorizedParties: ['https://app.example.com', 'https://admin.example.com'],
    signingSecrets: [secret],
    jwks: undefined,
    organizations: ['org_a', 'org_b'],
  })
})

it('lets a session have what its consumer has, and never commands', async () => {
  const jwks = join(folder, 'jwks.json')
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'ins_1', alg: 'RS256', use: 'sig' }
  await writeFile(jwks, JSON.stringify({ keys: [key] }))
  const settings = await clerkSettings({ ...env, CLERK_JWKS_FILE: jwks })
  if (settings === undefined) throw new Error('there are settings')
  const subjects = clerkSubjectsOf(settings)
  expect(subjects).toMatchObject({ name: 'clerk', audience: 'mcp-bridge', longestLifeSeconds: 3_600 })
  expect(subjects.scopes).toEqual(Object.keys(consumers['mcp-bridge'].scopes))
  expect(subjects.scopes).not.toContain('coder:run')
  expect(subjects.verifier.degraded).toBe(false)
})

describe('settings are refused, by their name and without their value,', () => {
  const secretValue = 'sk_test_not_to_be_told'
  it.each<[what: string, name: string, value: string | undefined]>([
    ['where the issuer is no URL', 'CLERK_ISSUER', secretValue],
    ['where the issuer ends with a slash', 'CLERK_ISSUER', 'https://clerk.example.com/'],
    ['where no site is named', 'CLERK_AUTHORIZED_PARTIES', undefined],
    ['where the sites are an empty list', 'CLERK_AUTHORIZED_PARTIES', ' , '],
    ['where nobody could tell of ends', 'CLERK_WEBHOOK_SIGNING_SECRET', undefined],
    ['where a signing secret is another secret', 'CLERK_WEBHOOK_SIGNING_SECRET', secretValue],
    ['where the key set is no file', 'CLERK_JWKS_FILE', '/nowhere/jwks.json'],
    ['where the organizations are an empty list', 'CLERK_ORGANIZATIONS', ','],
  ])('%s', async (_what, name, value) => {
    const reading = clerkSettings({ ...env, [name]: value })
    await expect(reading).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining(name) })
    await expect(reading).rejects.not.toThrow(secretValue)
  })
})

it('starts with an instance of Clerk, and takes what that one signs', async () => {
  const data = join(folder, 'data')
  const where = { COUNTERSIGN_DATA_DIR: data, COUNTERSIGN_PORT: '0', COUNTERSIGN_METRICS_PORT: '0' }
  const service = await startFleetTokenService({ env: { ...env, ...where }, logDestination: { write: () => {} } })
  try {
    expect(service.issuer.foreign.listening).toEqual(['clerk'])
    const unsigned = await fetch(`${service.url}/issuers/clerk/events`, { method: 'POST', body: '{}' })
    expect(unsigned.status).toBe(400)
  } finally {
    await service.close()
  }
  const without = await startFleetTokenService({ env: where, logDestination: { write: () => {} } })
  try {
    expect(without.issuer.foreign.listening).toEqual([])
    expect((await fetch(`${without.url}/issuers/clerk/events`, { method: 'POST', body: '{}' })).status).toBe(404)
  } finally {
    await without.close()
  }
})
