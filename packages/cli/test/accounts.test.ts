import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, install } from './installation.ts'

let here: Installation
beforeAll(async () => {
  here = await install()
})
afterAll(() => here.remove())

async function auditLines(): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))
}

describe('users', () => {
  it('are added with a password from stdin, listed, given another, disabled', async () => {
    const added = await here.run(['users', 'add', 'Ada@Example.com'], { input: 'correct horse battery\n' })
    expect(added).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^user {4}ada@example\.com\nid {6}user_.*\nscopes {2}all of the client\n$/u),
    })
    expect(added.stderr).toContain(`configuration: ${here.configFile}`)

    expect(await here.json(['users', 'set-password', 'ada@example.com'], { input: 'another battery' })).toEqual({
      user: 'ada@example.com',
      passwordSet: true,
    })
    expect((await here.run(['users', 'list'])).stdout).toMatch(/^NAME .*\nada@example\.com .* active\n$/u)
    expect(await here.json(['users', 'disable', 'ada@example.com'])).toEqual({
      user: 'ada@example.com',
      disabled: true,
    })
    expect(await here.json(['users', 'list'])).toMatchObject({ users: [{ disabledAt: expect.any(Number) }] })

    const actions = (await auditLines()).filter(({ action }) => String(action).startsWith('user.'))
    expect(actions.map(({ action, actor }) => [action, actor])).toEqual(
      ['user.add', 'user.set_password', 'user.disable'].map((action) => [
        action,
        expect.objectContaining({ type: 'operator' }),
      ]),
    )
  })

  it('may have scopes of their own', async () => {
    const input = 'correct horse battery\n'
    const added = await here.json(['users', 'add', 'reader', '--scope', 'items:read', 'items:write'], { input })
    expect(added).toMatchObject({ user: { scopes: ['items:read', 'items:write'] } })
    const set = await here.run(['users', 'set-scopes', 'reader', 'items:read'])
    expect(set.stdout).toBe('reader may get items:read; every session of theirs has ended\n')
    expect((await here.run(['users', 'list'])).stdout).toMatch(/^reader .* items:read +active$/mu)
    expect(await here.json(['users', 'set-scopes', 'reader', '--none'])).toEqual({ user: 'reader', scopes: [] })
    expect(await here.json(['users', 'set-scopes', 'reader', '--all'])).toEqual({ user: 'reader', scopes: null })
    for (const wrong of [[], ['--all', '--none'], ['items:read', '--all']]) {
      expect((await here.run(['users', 'set-scopes', 'reader', ...wrong])).exitCode).toBe(2)
    }
    expect((await here.run(['users', 'set-scopes', 'reader', 'no:such'])).exitCode).toBe(1)
    await here.run(['users', 'disable', 'reader'])
  })

  const refused: [what: string, argv: string[], input: string, code: string][] = [
    ['a short password', ['add', 'bob'], 'short', 'weak_password'],
    ['no password', ['add', 'bob'], '', 'bad_input'],
    ['a password of two lines', ['add', 'bob'], 'correct horse\nbattery', 'bad_input'],
    ['a name that is taken', ['add', 'ADA@example.com'], 'correct horse battery', 'name_taken'],
    ['an empty name', ['add', ' '], 'correct horse battery', 'invalid_name'],
    ['nobody', ['disable', 'nobody'], '', 'unknown_user'],
    ['somebody twice', ['disable', 'ada@example.com'], '', 'already_disabled'],
    ['a password for nobody', ['set-password', 'nobody'], 'correct horse battery', 'unknown_user'],
  ]
  it.each(refused)('are refused: %s', async (_what, argv, input, code) => {
    const ran = await here.run(['users', ...argv, '--json'], { input })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code, message: expect.any(String), remedy: expect.any(String) } })
    expect(ran.stderr).toMatch(/^error: .*\n {2}\S/u)
    expect(ran.stderr).not.toContain('    at ')
  })
})

describe('clients', () => {
  it('get a secret that is printed once and stored nowhere', async () => {
    const added = await here.run(['clients', 'add', 'etl', '--audience', 'api', '--scope', 'items:read'])
    expect(added.exitCode).toBe(0)
    const secret = added.stdout.match(/^secret +(\S+)$/mu)?.[1] ?? ''
    expect(secret.length).toBeGreaterThan(40)
    expect(added.stderr).not.toContain(secret)

    const listed = await here.run(['clients', 'list', '--json'])
    expect(listed.json()).toMatchObject({
      clients: [{ name: 'countersign-cli' }, { name: 'etl', type: 'confidential', scopes: ['items:read'] }],
    })
    expect(listed.stdout).not.toContain(secret)

    const rotated = await here.json(['clients', 'rotate-secret', 'etl', '--keep', '1m'])
    expect(rotated).toMatchObject({ client: { name: 'etl' }, previousExpiresAt: expect.any(Number) })
    expect(rotated.secret).not.toBe(secret)
    expect(JSON.stringify(await auditLines())).not.toContain(secret)
    expect(await here.json(['clients', 'disable', 'etl'])).toEqual({ client: 'etl', disabled: true })
    expect((await here.run(['clients', 'list'])).stdout).toMatch(/^etl .*disabled \d{4}-/mu)
  })

  it('sign with a key of their own, from PEM or JWK, and take the next one', async () => {
    const pairs = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')] as const
    const pem = pairs[0].publicKey.export({ type: 'spki', format: 'pem' })
    await writeFile(join(here.folder, 'one.pem'), pem)
    await writeFile(join(here.folder, 'two.json'), JSON.stringify(pairs[1].publicKey.export({ format: 'jwk' })))
    const argv = ['clients', 'add', 'signer', '--audience', 'api', '--public-key', join(here.folder, 'one.pem')]
    const added = await here.json([...argv, '--exchange', '--synthetic'])
    expect(added).toMatchObject({
      secret: null,
      client: {
        grants: ['client_credentials', 'token_exchange'],
        synthetic: true,
        keys: [{ expiresAt: null }],
        secrets: [],
      },
    })
    const rotate = ['clients', 'rotate-key', 'signer', '--public-key', join(here.folder, 'two.json')]
    const rotated = await here.json([...rotate, '--keep', '2h'])
    expect(rotated).toMatchObject({ client: { keys: [{ expiresAt: null }, { expiresAt: expect.any(Number) }] } })
    expect((await here.run(['clients', 'list'])).stdout).toMatch(/^signer .* key /mu)
    const actions = (await auditLines()).map(({ action }) => action)
    expect(actions).toContain('client.rotate_key')
  })

  it('do not take a private key, nor what is none', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const files = {
      'private.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'private.json': JSON.stringify(privateKey.export({ format: 'jwk' })),
      'nothing.pem': 'nothing',
      'broken.json': '{"kty":',
    }
    for (const [name, text] of Object.entries(files)) {
      const file = join(here.folder, name)
      await writeFile(file, text)
      const ran = await here.run(['clients', 'add', 'x', '--audience', 'api', '--public-key', file, '--json'])
      expect([name, ran.exitCode]).toEqual([name, 1])
      expect(ran.json()).toMatchObject({ error: { code: expect.stringMatching(/^(?:bad_input|invalid_option)$/u) } })
      expect(ran.stderr).not.toContain(text.slice(20, 60) || 'nothing')
    }
  })

  it('that sign people in are public, with the origins and the way of their refresh token', async () => {
    const argv = ['clients', 'add', 'web', '--sign-in', '--audience', 'api', '--origin', 'https://app.example.com']
    expect(await here.json(argv)).toMatchObject({
      secret: null,
      client: {
        type: 'public',
        firstParty: true,
        grants: ['sign_in', 'refresh_token'],
        origins: ['https://app.example.com'],
        refreshDelivery: 'cookie',
      },
    })
    const without = ['clients', 'add', 'kiosk', '--sign-in', '--audience', 'api', '--refresh', 'none']
    expect(await here.json(without)).toMatchObject({ client: { grants: ['sign_in'], refreshDelivery: 'body' } })
  })

  const refused: [what: string, argv: string[], code: string][] = [
    ['a name that is taken', ['add', 'etl', '--audience', 'api'], 'name_taken'],
    ['a name that looks like an id', ['add', 'client_x', '--audience', 'api'], 'invalid_name'],
    ['a name with an escape sequence', ['add', 'a\u001b[2J', '--audience', 'api'], 'invalid_name'],
    ['an audience that is none', ['add', 'x', '--audience', 'nothing'], 'invalid_option'],
    ['a scope that is none', ['add', 'x', '--audience', 'api', '--scope', 'a:b'], 'invalid_option'],
    [
      'cookies without an origin',
      ['add', 'x', '--sign-in', '--audience', 'api', '--refresh', 'cookie'],
      'invalid_option',
    ],
    ['a secret for a public client', ['rotate-secret', 'countersign-cli'], 'invalid_option'],
    ['a secret for nobody', ['rotate-secret', 'nobody'], 'unknown_client'],
    ['nobody', ['disable', 'nobody'], 'unknown_client'],
  ]
  it.each(refused)('are refused: %s', async (_what, argv, code) => {
    const ran = await here.run(['clients', ...argv, '--json'])
    expect(ran.json()).toMatchObject({ error: { code } })
    expect(ran.exitCode).toBe(1)
  })
})

describe('any command', () => {
  const failing: [what: string, argv: string[], code: string, says: RegExp][] = [
    ['without a configuration', ['users', 'list', '--config', 'nowhere.json'], 'config_not_found', /nowhere\.json/u],
    ['with a broken one', ['users', 'list', '--config', 'package.json'], 'config_invalid', /issuer/u],
  ]
  it.each(failing)('%s says so, with a remedy and without a stack', async (_what, argv, code, says) => {
    const { run } = await import('./run.ts')
    const { exitCode, stdout, stderr } = await run(argv, { cwd: new URL('..', import.meta.url).pathname })
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain(`(${code})`)
    expect(stderr).toMatch(says)
    expect(stderr).not.toContain('    at ')
  })

  it('takes the environment over the file', async () => {
    const ran = await here.run(['users', 'list'], { env: { COUNTERSIGN_PORT: 'many' } })
    expect(ran.exitCode).toBe(1)
    expect(ran.stderr).toContain('COUNTERSIGN_PORT')
  })

  it('is quiet with --quiet', async () => {
    expect((await here.run(['users', 'list', '--quiet'])).stderr).toBe('')
  })
})
