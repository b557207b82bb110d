import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { systemClock } from '@countersign/tokens'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { decodeToken } from '../src/decode-token.ts'
import { terminal } from './run.ts'
import { password, type RunningService, runService } from './running-service.ts'

let laterBySeconds = 0
const clock = {
  now: () => systemClock.now() + laterBySeconds,
  monotonicMs: () => systemClock.monotonicMs(),
  after: systemClock.after,
}

let service: RunningService
beforeAll(async () => {
  service = await runService({ clock })
})
afterAll(() => service.remove())
afterEach(() => rm(service.home, { recursive: true, force: true }))

const refreshes = () => service.recorded('session.refresh')
const status = async (options = {}) => {
  const ran = await service.run(['auth', 'status', '--json'], options)
  return { exitCode: ran.exitCode, ...ran.json() }
}
const token = async (argv: string[] = []) => {
  const ran = await service.run(['auth', 'token', ...argv])
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' })
  return ran.stdout.trim()
}
/** Everything below a folder, as text. */
async function textOf(folder: string): Promise<string> {
  const names = await readdir(folder)
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))).join('')
}

describe('a session on the command line', () => {
  it('begins, gives tokens, is renewed and ends', async () => {
    expect(await status()).toMatchObject({ exitCode: 1, state: 'signed-out', issuer: null })
    const signedIn = await service.signIn()
    expect(signedIn).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^signed in +ada\n/u) })
    const known = await status()
    expect(known).toMatchObject({
      exitCode: 0,
      state: 'signed-in',
      issuer: service.issuer,
      identifier: 'ada',
      subject: expect.stringMatching(/^user_/u),
      audience: 'api',
      scope: 'items:read items:write',
      otherIssuers: [],
    })
    const page = await service.run(['auth', 'status'])
    expect(page.stdout).toMatch(/state +signed in\nissuer +http:.*\nname +ada \(user_.*\)\naudience +api\n/u)

    const before = await refreshes()
    const first = await token()
    expect(await token()).toBe(first)
    expect(await refreshes()).toBe(before)
    expect(decodeToken(first).claims).toMatchObject({ iss: service.issuer, aud: 'api' })
    expect((await service.run(['auth', 'refresh'])).stdout).toMatch(/^renewed: .* of ada expires in /u)
    const second = await token()
    expect(second).not.toBe(first)
    expect(await refreshes()).toBe(before + 1)

    expect(await service.run(['auth', 'logout'])).toMatchObject({
      exitCode: 0,
      stdout: `signed out of ${service.issuer}\n`,
    })
    expect(await status()).toMatchObject({ exitCode: 1, state: 'signed-out' })
    const spent = await fetch(`${service.issuer}/auth/status`, { headers: { authorization: `Bearer ${second}` } })
    expect(await spent.json()).toEqual({ state: 'signed-out' })
    expect(await service.run(['auth', 'logout'])).toMatchObject({ exitCode: 0, stdout: 'nobody was signed in\n' })
  })

  it('rests sealed, in files that nobody else can reach, and shows no secret', async () => {
    const signedIn = await service.signIn()
    const access = await token()
    const refreshed = await service.run(['auth', 'refresh', '--debug'])
    expect((await stat(service.home)).mode & 0o777).toBe(0o700)
    const names = await readdir(service.home)
    expect(names).toEqual(expect.arrayContaining(['kek', 'sessions.db']))
    for (const name of names) expect((await stat(join(service.home, name))).mode & 0o077).toBe(0)
    const stored = await textOf(service.home)
    for (const secret of [password, access, 'eyJ', 'crt_', 'refreshToken']) expect(stored).not.toContain(secret)
    const said = signedIn.stdout + signedIn.stderr + refreshed.stdout + refreshed.stderr
    for (const secret of [password, 'eyJ']) expect(said).not.toContain(secret)
  })

  it('is refreshed when too little life is left, once however many ask', async () => {
    await service.signIn()
    const [first, before] = [await token(), await refreshes()]
    expect(await token(['--valid-for', '5m'])).toBe(first)
    laterBySeconds += 560
    const all = await Promise.all(Array.from({ length: 5 }, () => token()))
    expect(new Set(all).size).toBe(1)
    expect(all[0]).not.toBe(first)
    expect(await refreshes()).toBe(before + 1)
  })

  it('that was ended elsewhere is told apart from nobody', async () => {
    await service.signIn()
    const { session } = (await service.run(['auth', 'status', '--json'])).json()
    await service.run(['sessions', 'revoke', String(session), '--config', service.configFile])
    const page = await service.run(['auth', 'status'])
    expect(page).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('the session has ended') })
    const ran = await service.run(['auth', 'refresh'])
    expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('(session_ended)') })
    expect(ran.stderr).toContain('countersign auth login')
  })

  it('is replaced by the next at the same service, which ends it', async () => {
    await service.signIn()
    const first = await token()
    const again = await service.signIn()
    expect(again.stderr).toContain('The earlier session here was signed out.')
    const spent = await fetch(`${service.issuer}/auth/status`, { headers: { authorization: `Bearer ${first}` } })
    expect(await spent.json()).toEqual({ state: 'signed-out' })
    expect(await status()).toMatchObject({ state: 'signed-in' })
  })

  it('asks for what it was told to', async () => {
    await service.signIn(['--audience', 'api', '--scope', 'items:read'])
    expect(decodeToken(await token()).claims).toMatchObject({ scope: 'items:read' })
    await service.run(['auth', 'refresh'])
    expect(decodeToken(await token()).claims).toMatchObject({ scope: 'items:read' })
  })

  it('takes the name as an option, and the password alone from stdin', async () => {
    const ran = await service.signIn(['--identifier', 'ada'], { input: password })
    expect(ran.exitCode).toBe(0)
  })
})

/** Signs in at a terminal, where keys are typed as they are asked for. */
async function typeAt(typed: readonly (readonly [prompt: string, keys: string])[]) {
  const [stdin, stderr] = [terminal(), terminal()]
  let shown = ''
  stderr.on('data', (chunk) => {
    shown += String(chunk)
  })
  const asked = service.run(['auth', 'login', '--issuer', service.issuer], { stdin, stderr })
  for (const [prompt, keys] of typed) {
    await expect.poll(() => stripVTControlCharacters(shown), { interval: 5 }).toContain(prompt)
    stdin.write(keys)
  }
  const { exitCode, stderr: said } = await asked
  return { exitCode, shown: stripVTControlCharacters(shown + said) }
}

describe('at a terminal', () => {
  it('the name and the password are asked for, and the password is not shown', async () => {
    const { exitCode, shown } = await typeAt([
      [`Name at ${service.issuer}`, 'ada\n'],
      ['Password of ada', `${password}\n`],
    ])
    expect(exitCode).toBe(0)
    expect(shown).not.toContain(password.slice(0, 4))
    expect(await status()).toMatchObject({ state: 'signed-in', identifier: 'ada' })
  })

  it.each([
    ['for the name', [['Name at', '\u0003']]],
    [
      'for the password',
      [
        ['Name at', 'ada\n'],
        ['Password of', 'correct\u0003'],
      ],
    ],
  ] as const)('Ctrl-C at the prompt %s signs nobody in', async (_where, typed) => {
    const before = await service.recorded('session.open')
    const { exitCode, shown } = await typeAt(typed)
    expect(exitCode).toBe(1)
    expect(shown).toContain('(cancelled)')
    expect(shown).not.toContain('corr')
    expect(await service.recorded('session.open')).toBe(before)
    expect(await status()).toMatchObject({ exitCode: 1, state: 'signed-out' })
  })
})

describe('without the service', () => {
  it('status says what is known, token gives what is left, logout deletes and says so', async () => {
    await service.signIn()
    const first = await token()
    await service.stop()
    try {
      expect(await status()).toMatchObject({ exitCode: 0, state: 'degraded', identifier: 'ada' })
      expect(await token()).toBe(first)
      const refused = await service.run(['auth', 'login'], { input: `ada\n${password}\n` })
      expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('(unreachable)') })
      laterBySeconds += 601
      expect(await status()).toMatchObject({ exitCode: 1, state: 'unavailable' })
      const ended = await service.run(['auth', 'logout'])
      expect(ended).toMatchObject({ exitCode: 1, stdout: `the session at ${service.issuer} was deleted here\n` })
      expect(ended.stderr).toContain('goes on there until it expires')
      expect(await status()).toMatchObject({ exitCode: 1, state: 'signed-out' })
    } finally {
      await service.start()
    }
  })
})

describe('several services', () => {
  it('keep a session each; the last one that was signed in to is the usual one', async () => {
    const other = await runService()
    try {
      await service.signIn()
      const there = ['--issuer', other.issuer]
      const options = { env: { COUNTERSIGN_HOME: service.home } }
      expect((await other.signIn([], options)).exitCode).toBe(0)
      expect(await status()).toMatchObject({ issuer: other.issuer, otherIssuers: [service.issuer] })
      expect(decodeToken(await token()).claims).toMatchObject({ iss: other.issuer })
      expect(decodeToken(await token(['--issuer', service.issuer])).claims).toMatchObject({ iss: service.issuer })
      expect(await status({ env: { COUNTERSIGN_ISSUER: service.issuer } })).toMatchObject({ issuer: service.issuer })
      await service.run(['auth', 'logout', ...there])
      expect(await status()).toMatchObject({ state: 'signed-in', issuer: service.issuer })
      await other.signIn([], options)
      const all = (await service.run(['auth', 'logout', '--all', '--json'])).json()
      expect(all.ended).toHaveLength(2)
      expect(all.ended).toEqual(expect.arrayContaining([{ issuer: other.issuer, revoked: true }]))
    } finally {
      await other.remove()
    }
  })
})

describe('signing in is refused', () => {
  const wrong: [what: string, argv: string[], input: string, code: string][] = [
    ['with a wrong password', [], 'ada\nwrong', 'sign_in_refused'],
    ['for nobody', [], `nobody\n${password}`, 'sign_in_refused'],
    ['through a client that is none', ['--client', 'none'], `ada\n${password}`, 'sign_in_refused'],
    ['for a consumer that is none', ['--audience', 'none'], `ada\n${password}`, 'sign_in_refused'],
    ['with one line', [], 'ada\n', 'bad_input'],
    ['with three lines', [], `ada\n${password}\nmore`, 'bad_input'],
    ['with nothing', [], '', 'bad_input'],
    ['over http', ['--issuer', 'http://auth.example.com'], `ada\n${password}`, 'address_unusable'],
    ['over http at a name like loopback', ['--issuer', 'http://127.0.0.1.example.com'], 'a\nb', 'address_unusable'],
    ['at what is no address', ['--issuer', 'auth'], 'a\nb', 'address_unusable'],
    ['at what has too long a name', ['--issuer', `https://${'a'.repeat(300)}.example.com`], 'a\nb', 'unreachable'],
  ]
  it.each(wrong)('%s', async (_what, argv, input, code) => {
    const ran = await service.signIn(['--json', ...argv], { input })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code, remedy: expect.any(String) } })
    expect(ran.stdout + ran.stderr).not.toContain(password)
    expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at /mu)
    expect(await status()).toMatchObject({ state: 'signed-out' })
  })

  it('without a service to name, as wrong usage', async () => {
    const ran = await service.run(['auth', 'login'], { cwd: '/', input: `ada\n${password}` })
    expect(ran).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--issuer') })
  })

  it('by metadata that sends the password elsewhere, before it is asked for', async () => {
    const sent: string[] = []
    const request: typeof fetch = async (input) => {
      sent.push(String(input))
      const there = 'https://elsewhere.example'
      return Response.json({
        issuer: 'https://auth.example.com',
        countersign_sign_in_endpoint: `${there}/auth/sign-in`,
        countersign_sign_out_endpoint: `${there}/auth/sign-out`,
        countersign_status_endpoint: `${there}/auth/status`,
      })
    }
    const ran = await service.run(['auth', 'login', '--issuer', 'https://auth.example.com', '--json'], {
      fetch: request,
      input: `ada\n${password}`,
    })
    expect(ran.json()).toMatchObject({ error: { code: 'address_unusable' } })
    expect(sent).toEqual(['https://auth.example.com/.well-known/oauth-authorization-server'])
  })

  it('and says how long to wait after too many tries', async () => {
    const crowded: typeof fetch = async (input, init) =>
      init?.method === 'POST'
        ? Response.json({ error: 'rate_limited' }, { status: 429, headers: { 'retry-after': '60' } })
        : fetch(input, init)
    const ran = await service.signIn([], { fetch: crowded })
    expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/Wait 60 s\. \(throttled\)/u) })
  })

  it('and repeats nothing of what an answer repeats', async () => {
    const parrot: typeof fetch = async (input, init) =>
      init?.method === 'POST'
        ? Response.json({ error: 'odd', error_description: `no: ${String(init.body)} \u001b[2J` }, { status: 400 })
        : fetch(input, init)
    const ran = await service.signIn([], { fetch: parrot })
    expect(ran.stderr).toContain('(sign_in_refused)')
    expect(ran.stdout + ran.stderr).not.toContain(password)
    expect(ran.stderr).not.toContain('\u001b')
  })
})

describe('nobody', () => {
  it.each([['token'], ['refresh']])('has no %s', async (word) => {
    const ran = await service.run(['auth', word])
    expect(ran).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('(not_signed_in)') })
    expect(ran.stderr).toContain('countersign auth login')
  })

  it('leaves no trace by asking', async () => {
    await status()
    await expect(stat(service.home)).rejects.toThrow()
  })
})

// The last of the file: time does not go back.
describe('a session that nobody used for 30 days', () => {
  it('has ended, which is said', async () => {
    await service.signIn()
    laterBySeconds += 30 * 86_400 + 1
    const ran = await service.run(['auth', 'token', '--json'])
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({
      error: { code: 'session_ended', remedy: expect.stringContaining('auth login') },
    })
    expect(await status()).toMatchObject({ exitCode: 1, state: 'signed-out' })
  })
})
