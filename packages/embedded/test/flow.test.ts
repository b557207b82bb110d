import { describe, expect, it } from 'vitest'
import { password, signedIn, surroundings, testClock } from './fixture.ts'

const around = surroundings()
const refusal = { success: false, token: null, refreshToken: null, expiresAt: null }

describe('authenticate', () => {
  it('lets in who knows the password, and tells nobody which of both was wrong', async () => {
    const auth = await around.open()
    await auth.users.add('Ada', password)
    expect(await auth.authenticate(' ada ', password)).toMatchObject({ success: true, error: null })
    const wrong: [why: string, name: unknown, secret: unknown][] = [
      ['a wrong password', 'ada', 'another password'],
      ['nobody', 'grace', password],
      ['no text', undefined, null],
      ['far too long a password', 'ada', 'a'.repeat(100_000)],
      ['an unknown client', 'build', `cs_secret_${'a'.repeat(43)}`],
      ['a key in the name of a user', 'ada', `cs_secret_${'a'.repeat(43)}`],
      ['nothing', '', ''],
    ]
    for (const [why, name, secret] of wrong) {
      const result = await auth.authenticate(name as string, secret as string)
      expect(result, why).toEqual({ ...refusal, error: 'invalid_credentials' })
    }
  })

  it('asks for patience after five failures, also with the right password then', async () => {
    const clock = testClock()
    const auth = await around.open({ clock })
    await auth.users.add('ada', password)
    for (let turn = 0; turn < 5; turn += 1) await auth.authenticate('ada', 'a wrong password')
    const blocked = await auth.authenticate('ada', password)
    expect(blocked).toEqual({ ...refusal, error: 'rate_limited', retryAfterSeconds: 60 })
    clock.advance(61)
    expect(await auth.authenticate('ada', password)).toMatchObject({ success: true })
  })

  it('gives a user the scopes of that user, and no more by asking', async () => {
    const auth = await around.open({ scopes: ['notes:read', 'notes:write'] })
    await auth.users.add('reader', password, { scopes: ['notes:read'] })
    await auth.users.add('writer', password)
    const scopesOf = async (name: string) => (await auth.validateToken((await signedIn(auth, name)).token))?.scopes
    expect(await scopesOf('reader')).toEqual(['notes:read'])
    expect(await scopesOf('writer')).toEqual(['notes:read', 'notes:write'])
    const less = await auth.authenticate('writer', password, { scopes: ['notes:read'] })
    expect(less.success && (await auth.validateToken(less.token))?.scopes).toEqual(['notes:read'])
    const more = await auth.authenticate('reader', password, { scopes: ['notes:write'] })
    expect(more).toEqual({ ...refusal, error: 'invalid_scope' })
    // @ts-expect-error a scope that the module does not have
    expect(await auth.authenticate('writer', password, { scopes: ['notes:burn'] })).toMatchObject({
      error: 'invalid_scope',
    })
    const noArray = auth.authenticate('writer', password, { scopes: 'notes:read' as never })
    await expect(noArray).rejects.toMatchObject({ code: 'bad_option' })
  })

  it('lets a client in by name and by id, without a refresh token', async () => {
    const auth = await around.open()
    const build = await auth.clients.create('build', { scopes: ['tools:read'] })
    for (const identifier of ['build', build.id]) {
      const result = await auth.authenticate(identifier, build.secret)
      if (!result.success) throw new Error(result.error)
      expect(result.refreshToken).toBeNull()
      expect(await auth.validateToken(result.token)).toMatchObject({ sub: build.id, scopes: ['tools:read'] })
    }
  })
})

describe('an API key', () => {
  it('lets in by name and by id, and is told apart from clients', async () => {
    const auth = await around.open()
    const key = await auth.apiKeys.create('ci', { scopes: ['tools:run'] })
    expect(Buffer.from(key.secret.slice('cs_secret_'.length), 'base64url')).toHaveLength(32)
    for (const identifier of ['ci', key.id]) {
      const { token } = await signedIn(auth, identifier, key.secret)
      expect(await auth.validateToken(token)).toMatchObject({ sub: key.id, scopes: ['tools:run'] })
    }
    await auth.clients.create('build')
    const { secret: _, ...shown } = key
    expect(await auth.apiKeys.list()).toEqual([shown])
    expect((await auth.clients.list()).map(({ name }) => name)).toEqual(['build'])
  })

  it('is over when it says so, with the tokens that were got with it', async () => {
    const clock = testClock()
    const auth = await around.open({ clock })
    const key = await auth.apiKeys.create('ci', { expiresAt: clock.now() + 600 })
    const { token, expiresAt } = await signedIn(auth, 'ci', key.secret)
    expect(expiresAt).toBe(clock.now() + 600)
    clock.advance(605)
    expect(await auth.validateToken(token)).toBeNull()
    expect(await auth.authenticate('ci', key.secret)).toMatchObject({ error: 'invalid_credentials' })
  })

  it('that is revoked lets nobody in any more, nor do its tokens', async () => {
    const auth = await around.open()
    const first = await auth.apiKeys.create('ci')
    const second = await auth.apiKeys.create('deploy')
    const tokens = [await signedIn(auth, 'ci', first.secret), await signedIn(auth, 'deploy', second.secret)]
    await auth.apiKeys.revoke('ci')
    await auth.apiKeys.revoke(second.id)
    for (const { token } of tokens) expect(await auth.validateToken(token)).toBeNull()
    expect(await auth.authenticate('ci', first.secret)).toMatchObject({ error: 'invalid_credentials' })
    expect((await auth.apiKeys.list()).every(({ revokedAt }) => revokedAt !== null)).toBe(true)
    await expect(auth.apiKeys.revoke('ci')).rejects.toMatchObject({ code: 'already_disabled' })
    await auth.apiKeys.create('build')
    for (const name of ['deploy', 'build', 'key.build', 'module', first.id, '']) {
      await expect(auth.clients.revoke(name), name).rejects.toMatchObject({ code: 'unknown_client' })
    }
  })

  it('has a name of its own', async () => {
    const auth = await around.open()
    await auth.clients.create('build')
    await auth.apiKeys.create('ci')
    const taken: [() => Promise<unknown>, string][] = [
      [() => auth.apiKeys.create('ci'), 'name_taken'],
      [() => auth.apiKeys.create('build'), 'name_reserved'],
      [() => auth.clients.create('ci'), 'name_reserved'],
      [() => auth.clients.create('module'), 'name_reserved'],
      [() => auth.clients.create('key.other'), 'name_reserved'],
      [() => auth.clients.create('no spaces'), 'invalid_name'],
      [() => auth.apiKeys.create('late', { expiresAt: 1 }), 'invalid_option'],
      [() => auth.apiKeys.create('milliseconds', { expiresAt: Date.now() + 3_600_000 }), 'invalid_option'],
      [() => auth.users.add('ada', 'cs_secret_of-a-person'), 'name_reserved'],
      [() => auth.users.add('ada', 'short'), 'weak_password'],
    ]
    for (const [create, code] of taken) await expect(create()).rejects.toMatchObject({ code })
  })
})

describe('what was ended', () => {
  it('is refused at once: signed out, another password, other scopes, disabled', async () => {
    const auth = await around.open()
    for (const name of ['ada', 'grace', 'mary', 'joan', 'edith']) await auth.users.add(name, password)
    const ends: [name: string, end: (tokens: { token: string; refreshToken: string | null }) => Promise<unknown>][] = [
      ['ada', ({ token }) => auth.signOut(token)],
      ['grace', ({ refreshToken }) => auth.signOut(refreshToken ?? '')],
      ['mary', () => auth.users.setPassword('mary', 'another good password')],
      ['joan', () => auth.users.disable('joan')],
      ['edith', () => auth.users.setScopes('edith', ['tools:read'])],
    ]
    for (const [name, end] of ends) {
      const tokens = await signedIn(auth, name)
      await end(tokens)
      expect(await auth.validateToken(tokens.token), name).toBeNull()
      expect(await auth.refreshToken(tokens.refreshToken ?? ''), name).toMatchObject({ success: false })
    }
    expect(await auth.signOut('cs_refresh_unknown')).toBe(false)
    expect((await auth.users.list()).filter(({ disabledAt }) => disabledAt !== null)).toMatchObject([{ name: 'joan' }])
  })
})

describe('a shared password', () => {
  const shared = 'mV6!rT9#pL2@xQ8$'
  const options = { audience: 'notes', scopes: ['admin', 'service'] } as const

  it('lets in whoever knows it, under the name of the tool, without a refresh token', async () => {
    const auth = await around.open({ ...options, sharedPassword: { password: shared, defaultScopes: ['service'] } })
    expect(auth.sharedPassword).toBe('first')
    const usual = await signedIn(auth, 'notes', shared)
    expect(usual.refreshToken).toBeNull()
    expect(await auth.validateToken(usual.token)).toMatchObject({ scopes: ['service'] })
    const more = await auth.authenticate('notes', shared, { scopes: ['admin'] })
    expect(more.success && (await auth.validateToken(more.token))?.scopes).toEqual(['admin'])
    for (const [name, secret] of [
      ['notes', `${shared}!`],
      ['somebody', shared],
    ] as const) {
      expect(await auth.authenticate(name, secret)).toMatchObject({ error: 'invalid_credentials' })
    }
  })

  it('that is another than the last time ends every token', async () => {
    const before = await around.open({ ...options, sharedPassword: { password: shared } })
    const { token } = await signedIn(before, 'notes', shared)
    await before.close()
    const same = await around.open({ ...options, sharedPassword: { password: shared } })
    expect([same.sharedPassword, (await same.validateToken(token)) !== null]).toEqual(['same', true])
    await same.close()
    const changed = await around.open({ ...options, sharedPassword: { password: 'zN4?kB7%hW3&dF5=' } })
    expect([changed.sharedPassword, await changed.validateToken(token)]).toEqual(['changed', null])
  })

  it('that can be guessed is refused', async () => {
    const guessed = around.open({ ...options, sharedPassword: { password: 'password12345678' } })
    await expect(guessed).rejects.toMatchObject({ code: 'weak_password' })
  })
})

describe('a permission', () => {
  it('is what the payload says, to the letter', async () => {
    const auth = await around.open()
    const payload = { sub: 'user_1', iat: 0, exp: 0, scopes: ['tools:read'] } as const
    expect(auth.hasPermission(payload, 'tools:read')).toBe(true)
    expect(auth.hasPermission(payload, 'tools:run')).toBe(false)
    // @ts-expect-error a scope that the module does not have
    expect(auth.hasPermission(payload, 'tools')).toBe(false)
    expect(auth.hasPermission(await auth.validateToken('a.b.c'), 'tools:read')).toBe(false)
  })
})
