import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createDataDir,
  openTokenService,
  type ResolvedConfig,
  resolveConfig,
  type TokenServiceParts,
} from '../src/index.ts'

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const otherIssuer = 'https://login.example.com'
const theirs = generateKeyPairSync('ed25519')
const own = generateKeyPairSync('ed25519')

function jwt(key: typeof own, claims: object, header: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'EdDSA', ...header })}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`
}

let dir: string
let config: ResolvedConfig
let one: TokenServiceParts
let other: TokenServiceParts

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-exchange-'))
  const { x = '' } = theirs.publicKey.export({ format: 'jwk' })
  const keys = staticKeys({ keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: 'theirs', alg: 'EdDSA', use: 'sig' }] })
  const verifier = createVerifier({ issuer: otherIssuer, audience: 'agents', keys })
  const input = {
    issuer: 'http://127.0.0.1:4600',
    consumers: {
      'agent-api': { scopes: ['jobs:run'], obtainedBy: 'client-credentials' },
      ledger: { scopes: ['jobs:run'], obtainedBy: 'exchange' },
      edges: [{ from: 'agent-api', to: 'ledger', scopes: ['jobs:run'], reason: true }],
    },
    subjectVerifiers: [{ name: 'clerk', issuer: otherIssuer, verifier, audience: 'agent-api', scopes: ['jobs:run'] }],
    metrics: false,
  } as const
  config = await resolveConfig(input, { baseDir: dir })
  await createDataDir(config)
  one = await openTokenService(config)
  other = await openTokenService(config, { rememberClients: true })
  await one.issuer.clients.add({
    name: 'agent-api',
    grants: ['client_credentials', 'token_exchange'],
    audiences: ['agent-api', 'ledger'],
    publicKey: { ...own.publicKey.export({ format: 'jwk' }) },
  })
})
afterEach(async () => {
  await Promise.all([one.close(), other.close()])
  await rm(dir, { recursive: true })
})

let serial = 0
function asserted() {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'agent-api', sub: 'agent-api', aud: config.issuer, exp: now + 60, jti: `jti-${++serial}` }
  return { method: 'private_key_jwt', clientId: 'agent-api', assertion: jwt(own, claims, {}) } as const
}

describe('two services over one SQLite database', () => {
  it('take an assertion once between them', async () => {
    const client = asserted()
    const answers = await Promise.allSettled(
      [one, other, one, other].map(({ issuer }) => issuer.clientCredentials({ client, audience: 'agent-api' })),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('exchange each other’s tokens, until one of them revokes it', async () => {
    const { accessToken: subjectToken } = await one.issuer.clientCredentials({
      client: asserted(),
      audience: 'agent-api',
    })
    const ask = () => ({ client: asserted(), subjectToken, subjectTokenType: accessToken, reason: 'monthly bill' })
    const exchanged = await other.issuer.exchange(ask())
    expect(exchanged).toMatchObject({ audience: 'ledger', scope: 'jobs:run', issuedTokenType: accessToken })
    expect((await one.issuer.introspectToken(exchanged.accessToken)).active).toBe(true)
    await one.issuer.revokeToken(subjectToken)
    await expect(other.issuer.exchange(ask())).rejects.toMatchObject({ code: 'invalid_request' })
    expect((await other.issuer.introspectToken(exchanged.accessToken)).active).toBe(false)
    const lines = (await readFile(config.auditFile, 'utf8')).trim().split('\n')
    const exchanges = lines.map((line) => JSON.parse(line)).filter(({ action }) => action === 'token.exchange')
    expect(exchanges).toMatchObject([
      { outcome: 'allowed', reason: 'monthly bill' },
      { outcome: 'allowed' },
      { outcome: 'denied' },
    ])
  })

  it('take tokens of the other issuer that the configuration declares', async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: otherIssuer, sub: 'user_2', aud: 'agents', exp: now + 60, iat: now, jti: 'x', client_id: 'y' }
    const subjectToken = jwt(theirs, { ...claims, scope: '' }, { typ: 'at+jwt', kid: 'theirs' })
    const ask = { client: asserted(), subjectToken, subjectTokenType: accessToken, reason: 'x' }
    expect(await one.issuer.exchange(ask)).toMatchObject({ subject: 'clerk:user_2' })
  })
})

it('refuses a configuration whose declared verifiers do not fit the matrix', async () => {
  const [declared] = config.subjectVerifiers
  if (declared === undefined) throw new Error('none')
  const wrong = { ...config, subjectVerifiers: [{ ...declared, audience: 'nowhere' }] }
  await expect(openTokenService(wrong)).rejects.toMatchObject({ code: 'invalid_option' })
})
