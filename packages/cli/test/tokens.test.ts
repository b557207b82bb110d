import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { laterBy } from './clock.ts'
import { type Installation, install } from './installation.ts'
import { run } from './run.ts'

let here: Installation
let token: string
beforeAll(async () => {
  here = await install()
  await here.json(['clients', 'add', 'etl', '--audience', 'api'])
  token = await issue()
})
afterAll(() => here.remove())

async function issue(): Promise<string> {
  const { accessToken } = await here.json(['token', 'issue', '--client', 'etl', '--scope', 'items:read'])
  return String(accessToken)
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The token with other members in its header or claims; its signature holds no more. */
function changed(part: 'header' | 'claims', members: Record<string, unknown>): string {
  const [header = '', claims = '', signature = ''] = token.split('.')
  const old: object = JSON.parse(Buffer.from(part === 'header' ? header : claims, 'base64url').toString())
  const fresh = encode({ ...old, ...members })
  return (part === 'header' ? [fresh, claims, signature] : [header, fresh, signature]).join('.')
}

describe('token issue', () => {
  it('prints the token and nothing else on stdout', async () => {
    const ran = await here.run(['token', 'issue', '--client', 'etl'])
    expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{86}\n$/u) })
    expect(ran.stderr).toContain('for api, valid for 600 s, scope: items:read items:write')
  })

  const refused: [what: string, argv: string[], code: string][] = [
    ['nobody', ['--client', 'nobody'], 'unknown_client'],
    ['a client that signs people in', ['--client', 'countersign-cli'], 'unauthorized_client'],
    ['an audience that is not its own', ['--client', 'etl', '--audience', 'other'], 'invalid_target'],
    ['a scope that there is not', ['--client', 'etl', '--scope', 'items:burn'], 'invalid_scope'],
  ]
  it.each(refused)('is refused for %s', async (_what, argv, code) => {
    const ran = await here.run(['token', 'issue', ...argv, '--json'])
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code } })
  })
})

describe('token inspect', () => {
  it('shows what the token says of itself, and that nothing was checked', async () => {
    const forged = changed('claims', { sub: 'eve\u001b[2J' })
    const ran = await run(['token', 'inspect'], { input: forged })
    expect(ran.exitCode).toBe(0)
    expect(ran.stdout).toContain('eve\\u{1b}[2J')
    expect(ran.stdout).toMatch(/^exp {8}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(in /mu)
    expect(ran.stdout).not.toContain(token.split('.')[2])
    expect(ran.stderr).toContain('Nothing of this was checked')
    const json = await run(['token', 'inspect', '--json'], { input: forged })
    expect(json.json()).toMatchObject({ verified: false, header: { typ: 'at+jwt' }, claims: { aud: 'api' } })
  })

  it('reads a file', async () => {
    await writeFile(join(here.folder, 'token.txt'), `${token}\n`)
    const ran = await run(['token', 'inspect', '--file', 'token.txt', '--json'], { cwd: here.folder })
    expect(ran.json()).toMatchObject({ claims: { aud: 'api' } })
    const missing = await run(['token', 'inspect', '--file', 'nowhere.txt', '--json'], { cwd: here.folder })
    expect(missing).toMatchObject({ exitCode: 1 })
    expect(missing.json()).toMatchObject({ error: { code: 'ENOENT' } })
  })

  it.each(['hello', 'a.b.c', '[].[].[]', ''])('does not take %j for a token', async (input) => {
    const ran = await run(['token', 'inspect', '--json'], { input })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code: 'bad_input' } })
  })
})

describe('token verify and revoke', () => {
  it('accept a token until it is revoked', async () => {
    const mine = await issue()
    const verify = () => here.run(['token', 'verify', '--json'], { input: mine })
    expect((await verify()).json()).toMatchObject({
      accepted: true,
      revocationChecked: true,
      principal: { audience: 'api', scopes: ['items:read'] },
    })
    expect(await here.json(['token', 'revoke'], { input: mine })).toEqual({ revoked: true })
    const refused = await verify()
    expect(refused.exitCode).toBe(1)
    expect(refused.json()).toMatchObject({ error: { code: 'revoked' } })

    const again = await here.run(['token', 'revoke', '--json'], { input: mine })
    expect(again.exitCode).toBe(1)
    expect(again.json()).toMatchObject({ error: { code: 'not_found' } })
  })

  it('calls a token expired, not revoked, within the seconds that verifiers forgive', async () => {
    const mine = await issue()
    const forgiven = await here.run(['token', 'verify', '--json'], { input: mine, clock: laterBy(602) })
    expect(forgiven.json()).toMatchObject({ accepted: true })
    const over = await here.run(['token', 'verify', '--json'], { input: mine, clock: laterBy(606) })
    expect(over.json()).toMatchObject({ error: { code: 'expired' } })
  })

  it('checks the audience that is asked for', async () => {
    const ran = await here.run(['token', 'verify', '--audience', 'other'], { input: token })
    expect(ran).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ran.stderr).toContain('(wrong_audience)')
  })
})

describe('explain', () => {
  it('says that nothing is wrong', async () => {
    const ran = await here.run(['explain'], { input: `${token}\n` })
    expect(ran.exitCode).toBe(0)
    expect(ran.stdout).toMatch(/^accepted: nothing is wrong with this token\n/u)
  })

  const rows: [what: string, make: () => string, expected: Record<string, unknown>][] = [
    [
      'a character appended',
      () => `${token}x`,
      { code: 'malformed', check: 'shape', hint: /1 character\(s\) too long/u },
    ],
    ['its end cut off', () => token.slice(0, -9), { code: 'malformed', hint: /9 character\(s\) too short/u }],
    ['white space around it', () => ` ${token}`, { code: 'malformed', hint: /white space around/u }],
    ['a line break in it', () => `${token.slice(0, 60)}\n${token.slice(60)}`, { code: 'malformed', hint: /wrapped/u }],
    ['the scheme before it', () => `Bearer ${token}`, { code: 'malformed', hint: /Bearer/u }],
    ['quotation marks', () => `"${token}"`, { code: 'malformed', hint: /quotation marks/u }],
    ['no dots', () => 'cs_refresh_abc', { code: 'malformed', hint: /refresh token/u }],
    ['five segments', () => `${token}.a.b`, { code: 'malformed', hint: /JWE/u }],
    ['its signature missing', () => token.replace(/[^.]+$/u, ''), { code: 'malformed', hint: /empty/u }],
    [
      'another algorithm',
      () => changed('header', { alg: 'HS256' }),
      { code: 'unsupported_alg', check: 'algorithm', where: 'header.alg', found: 'HS256', setting: /^algorithms/u },
    ],
    ['no algorithm', () => changed('header', { alg: 'none' }), { code: 'unsupported_alg', hint: /not signed at all/u }],
    [
      'an unknown key',
      () => changed('header', { kid: 'k7' }),
      { code: 'unknown_key', check: 'key', where: 'header.kid', setting: "keys: this service's key rings" },
    ],
    [
      'changed claims',
      () => changed('claims', { scope: 'items:burn' }),
      { code: 'bad_signature', check: 'signature', where: 'signature', setting: "keys: this service's key rings" },
    ],
  ]
  it.each(rows)('names what is wrong with a token with %s', async (_what, make, expected) => {
    const input = make()
    const ran = await here.run(['explain', '--json'], { input })
    expect(ran.exitCode).toBe(1)
    const told = ran.json()
    for (const [name, value] of Object.entries(expected)) {
      if (value instanceof RegExp) expect(told[name]).toMatch(value)
      else expect([name, told[name]]).toEqual([name, value])
    }
    expect(told).toMatchObject({ accepted: false, remedy: expect.any(String), message: expect.any(String) })
  })

  it('names the audience, the setting that decided and where it came from', async () => {
    const ran = await here.run(['explain', '--audience', 'other'], { input: token })
    expect(ran.exitCode).toBe(1)
    expect(ran.stdout).toBe(
      [
        'refused: wrong_audience',
        'check     audience',
        'where     claims.aud',
        'found     api',
        'expected  other',
        'setting   audience: --audience',
        "why       The token is not for this verifier's audience.",
        "remedy    Ask the issuer for a token for this audience, or correct the verifier's `audience`.",
        '',
      ].join('\n'),
    )
  })

  it('tells when a token expired', async () => {
    const ran = await here.run(['explain', '--json'], { input: token, clock: laterBy(3_600) })
    expect(ran.json()).toMatchObject({
      code: 'expired',
      check: 'time',
      where: 'claims.exp',
      found: expect.stringMatching(/Z \(\d+ min( \d+ s)? ago\)$/u),
    })
  })

  it('knows the issuer that a token should be from', async () => {
    const jwks = join(here.folder, 'jwks.json')
    await writeFile(jwks, JSON.stringify(await publishedKeys()))
    const argv = ['explain', '--issuer', 'https://auth.example.com', '--jwks', jwks, '--json']
    const ran = await run(argv, { input: token })
    expect(ran.json()).toMatchObject({
      code: 'wrong_issuer',
      found: 'http://127.0.0.1:4600',
      expected: 'https://auth.example.com',
      setting: 'issuer: --issuer',
      against: { audience: null, keys: '--jwks' },
    })
  })

  it('never prints a token, whatever is wrong with it', async () => {
    for (const input of [token, `${token}x`, changed('claims', { sub: 'eve' }), `Bearer ${token}`]) {
      for (const flags of [[], ['--json'], ['--debug']]) {
        const { stdout, stderr } = await here.run(['explain', ...flags], { input })
        for (const segment of input.split('.').filter((part) => part.length > 20)) {
          expect(stdout + stderr).not.toContain(segment)
        }
      }
    }
  })

  it('reads the keys of another issuer by its metadata', async () => {
    const keys = await publishedKeys()
    let base = ''
    const server = createServer((request, response) => {
      const body = request.url?.startsWith('/.well-known/oauth') ? { issuer: base, jwks_uri: `${base}/keys` } : keys
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const ran = await run(['explain', '--issuer', base, '--json'], { input: token })
      expect(ran.json()).toMatchObject({ code: 'wrong_issuer', expected: base, against: { keys: `${base}/keys` } })
      const other = await run(['explain', '--issuer', `${base}/`, '--json'], { input: token })
      expect(other.json()).toMatchObject({ error: { code: 'unreachable', message: expect.stringContaining(base) } })
    } finally {
      server.close()
    }
  })

  it("takes another issuer's tokens by a profile", async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
    const jwks = join(here.folder, 'rs256.json')
    const key = { ...(await exportJWK(publicKey)), kid: 'r1', alg: 'RS256', use: 'sig' }
    await writeFile(jwks, JSON.stringify({ keys: [key] }))
    const input = await new SignJWT({ azp: 'web', scope: 'openid' })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'r1' })
      .setIssuer('https://tenant.example.com/')
      .setAudience(['api', 'https://tenant.example.com/userinfo'])
      .setSubject('auth0|1')
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(privateKey)
    const argv = ['explain', '--issuer', 'https://tenant.example.com/', '--jwks', jwks, '--audience', 'api', '--json']
    const strict = await run(argv, { input })
    expect(strict.exitCode).toBe(1)
    expect(strict.json()).toMatchObject({ code: 'unsupported_alg', found: 'RS256', expected: 'EdDSA or Ed25519' })
    const relaxed = await run([...argv, '--profile', 'auth0'], { input })
    expect(relaxed.exitCode).toBe(0)
    expect(relaxed.json()).toMatchObject({ accepted: true, revocationChecked: false })
    const idToken = await new SignJWT({ nonce: 'n' })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'r1' })
      .sign(privateKey)
    const refused = await run([...argv, '--profile', 'auth0'], { input: idToken })
    expect(refused.json()).toMatchObject({ code: 'wrong_type', where: 'claims.nonce', expected: 'none' })
  })

  const unusable: [what: string, issuer: string, code: string][] = [
    ['over http', 'http://auth.example.com', 'address_unusable'],
    ['that is no URL', 'auth', 'address_unusable'],
    ['that does not answer', 'http://127.0.0.1:9', 'unreachable'],
  ]
  it.each(unusable)('refuses an issuer %s', async (_what, issuer, code) => {
    const ran = await run(['explain', '--issuer', issuer, '--json'], { input: token })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code } })
  })
})

/** The public keys of the installation, as its JWKS would have them. */
async function publishedKeys(): Promise<unknown> {
  const { loadConfig, openTokenService } = await import('@countersign/server')
  const service = await openTokenService(await loadConfig({ cwd: here.folder }))
  try {
    return structuredClone(service.issuer.jwks().document)
  } finally {
    await service.close()
  }
}
