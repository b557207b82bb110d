import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { laterBy } from './clock.ts'
import { findFreePort } from './free-port.ts'
import { type Installation, install } from './installation.ts'

/** W with the defaults. */
const propagationSeconds = 3_750

let here: Installation
beforeEach(async () => {
  here = await install()
})
afterEach(() => here.remove())

interface Ring {
  readonly name: string
  readonly activeKid: string
  readonly keys: readonly { readonly kid: string; readonly state: string }[]
}

async function theRing(options = {}): Promise<Ring> {
  const { rings } = (await here.json(['keys', 'list'], options)) as { rings: readonly [Ring] }
  return rings[0]
}

const statesOf = ({ keys }: Ring): string[] => keys.map(({ state }) => state)

describe('keys rotate', () => {
  it('publishes a key, says when it may sign, and that is success', async () => {
    const first = await here.run(['keys', 'rotate'])
    expect(first).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^tokens: [\w-]{43} published; activates in 62 min \d+ s\n$/u),
    })
    expect(statesOf(await theRing())).toEqual(['active', 'published'])

    const again = await here.json(['keys', 'rotate'])
    expect(again).toMatchObject({ dryRun: false, done: false, activeKid: null, waitingFor: ['propagation'] })
    expect(again.activatesAt).toBeCloseTo(Date.now() / 1000 + propagationSeconds, -2)
    expect(statesOf(await theRing())).toEqual(['active', 'published'])
  })

  it('activates the published key once every cache has had the time', async () => {
    await here.run(['keys', 'rotate'])
    const before = await theRing()
    const clock = laterBy(propagationSeconds + 1)
    expect(await here.json(['keys', 'rotate'], { clock })).toMatchObject({
      done: true,
      activeKid: before.keys[1]?.kid,
      activatesAt: null,
      rings: [{ ring: 'tokens', previousKid: before.activeKid }],
    })
    expect(await theRing({ clock })).toMatchObject({ activeKid: before.keys[1]?.kid })
  })

  it('--dry-run says what it would do and changes nothing', async () => {
    const plan = async (clock = laterBy(0)) => (await here.json(['keys', 'rotate', '--dry-run'], { clock })).rings
    expect(await plan()).toEqual([{ ring: 'tokens', would: 'publish' }])
    expect(statesOf(await theRing())).toEqual(['active'])

    await here.run(['keys', 'rotate'])
    const { keys } = await theRing()
    const kid = keys[1]?.kid
    expect(await plan()).toMatchObject([{ would: 'wait', kid, activatesAt: expect.any(Number) }])
    expect(await plan(laterBy(propagationSeconds + 1))).toEqual([{ ring: 'tokens', would: 'activate', kid }])
    const said = await here.run(['keys', 'rotate', '--dry-run'])
    expect(said.stdout).toMatch(/is published already; activates in 62 min/u)
    expect(statesOf(await theRing())).toEqual(['active', 'published'])
  })

  it('is about one ring with --ring', async () => {
    const ran = await here.run(['keys', 'rotate', '--ring', 'nothing'])
    expect(ran.exitCode).toBe(1)
    expect(ran.stderr).toContain('The rings are: tokens, feed.')
    expect((await here.run(['keys', 'rotate', '--ring', 'tokens'])).exitCode).toBe(0)
  })
})

describe('keys activate', () => {
  it('is refused before the time, and does it after', async () => {
    await here.run(['keys', 'rotate'])
    const kid = (await theRing()).keys[1]?.kid ?? ''
    const early = await here.run(['keys', 'activate', kid, '--json'])
    expect(early.exitCode).toBe(1)
    expect(early.json()).toMatchObject({ error: { code: 'too_early' } })
    expect(statesOf(await theRing())).toEqual(['active', 'published'])

    const clock = laterBy(propagationSeconds + 1)
    expect(await here.json(['keys', 'activate', kid], { clock })).toEqual({ ring: 'tokens', activeKid: kid })
  })

  it('knows no key that is not there', async () => {
    const ran = await here.run(['keys', 'activate', 'k'.repeat(43), '--json'])
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code: 'not_found' } })
  })
})

describe('keys list and status', () => {
  it('show what each key does and what comes next', async () => {
    await here.run(['keys', 'rotate'])
    await here.run(['keys', 'rotate'], { clock: laterBy(propagationSeconds + 1) })
    await here.run(['keys', 'rotate'], { clock: laterBy(propagationSeconds + 2) })
    const { stdout } = await here.run(['keys', 'list'], { clock: laterBy(propagationSeconds + 3) })
    expect(stdout).toMatch(/^RING {4}ALG {4}KID .*STATE {6}SINCE .*NEXT\n/u)
    expect(stdout).toMatch(/ retiring .* withdrawn in 39 min/u)
    expect(stdout).toMatch(/ active .* replaced in 27 d at the latest/u)
    expect(stdout).toMatch(/ published .* may sign in 62 min/u)
    expect(stdout).not.toMatch(/ $/mu)

    const status = await here.run(['keys', 'status'], { clock: laterBy(propagationSeconds + 3) })
    expect(status.stdout).toMatch(/^ring {9}tokens \(EdDSA, version \d+\)\nactive {7}[\w-]{43}\nsigns since/u)
    expect(status.stdout).toMatch(/^retiring .* withdrawn in 39 min/mu)
    const ready = await here.run(['keys', 'status'], { clock: laterBy(2 * propagationSeconds + 10) })
    expect(ready.stdout).toContain('may sign now')
  })

  it('--watch prints again until it is stopped', async () => {
    let stop = (_: string): void => {}
    const ran = await here.run(['keys', 'status', '--watch', '--interval', '1'], {
      // Time flies: every wait is over at once.
      clock: { ...laterBy(0), after: (_, call) => laterBy(0).after(0, call) },
      onStop: (call) => {
        stop = call
        return () => {}
      },
      onOutput: (stdout) => {
        if (stdout.split('version').length > 3) stop('SIGINT')
      },
    })
    expect(ran.exitCode).toBe(0)
    expect(ran.stdout.match(/^ring /gmu)).toHaveLength(3)
  })
})

describe('doctor, of keys', () => {
  const ages: [days: number, level: string, exitCode: number][] = [
    [1, 'ok', 0],
    [28.5, 'warning', 0],
    [31, 'error', 1],
  ]
  it.each(ages)('finds a key of %d days %s', async (days, level, exitCode) => {
    const env = { COUNTERSIGN_PORT: String(await findFreePort()) }
    const ran = await here.run(['doctor', '--json'], { env, clock: laterBy(days * 86_400) })
    const { findings } = ran.json() as { findings: { check: string; level: string }[] }
    expect(findings.filter(({ check }) => check === 'keys')).toMatchObject([{ level }])
    expect(ran.exitCode).toBe(exitCode)
  })
})

/** Puts settings about keys into the configuration file. */
async function configureKeys(keys: object): Promise<void> {
  const config = JSON.parse(await readFile(here.configFile, 'utf8'))
  await writeFile(here.configFile, JSON.stringify({ ...config, keys }))
}

/** A clock at an instant, whatever the time is. */
const clockAt = (instant: number) => laterBy(instant - Date.now() / 1000)

describe('keys in a blackout', () => {
  const blackouts = [{ from: '09:00', to: '17:00', zone: 'Europe/Zurich' }]
  /** The next time that it is ten in Zurich in winter, from a year on. */
  const year = new Date().getUTCFullYear() + 1
  const atTen = Date.UTC(year, 0, 15, 9) / 1000
  const atFive = new Date(Date.UTC(year, 0, 15, 16)).toISOString()

  it('are not changed by plan, and that is said with the instant when it ends', async () => {
    await configureKeys({ blackouts })
    const clock = clockAt(atTen)
    const refused = await here.run(['keys', 'rotate'], { clock })
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain(atFive)
    expect(refused.stderr).toContain('--emergency --reason')
    expect((await here.run(['keys', 'rotate', '--dry-run'], { clock })).stdout).toMatch(/a blackout ends in 7 h/u)
    expect((await here.run(['keys', 'status'], { clock })).stdout).toMatch(/^blackout +ends in 7 h/mu)
    expect(statesOf(await theRing({ clock }))).toEqual(['active'])
  })

  it('are, in an emergency, for a reason that is recorded', async () => {
    await configureKeys({ blackouts })
    const clock = clockAt(atTen)
    const reason = 'INC-42: the old key is on a lost disk'
    const emergency = ['--emergency', '--reason', reason]
    await here.json(['keys', 'rotate', ...emergency], { clock })
    const kid = (await theRing({ clock })).keys[1]?.kid ?? ''
    const audit = await readFile(join(here.folder, 'data', 'audit.jsonl'), 'utf8')
    expect(audit).toContain(reason)
    expect(audit).toContain('"overrides":"blackout"')

    const later = clockAt(atTen + propagationSeconds + 1)
    expect((await here.run(['keys', 'activate', kid], { clock: later })).stderr).toContain(atFive)
    const plan = await here.json(['keys', 'rotate', '--dry-run', ...emergency], { clock: later })
    expect(plan.rings).toEqual([{ ring: 'tokens', would: 'activate', kid }])
    expect(await here.json(['keys', 'activate', kid, ...emergency], { clock: later })).toMatchObject({ activeKid: kid })
  })

  it('say which blackout leaves no room', async () => {
    const freeze = { from: `${year}-02-01T00:00`, to: `${year}-04-01T00:00`, zone: 'Europe/Zurich' }
    await configureKeys({ blackouts: [freeze] })
    const ran = await here.run(['keys', 'list'])
    expect(ran.exitCode).toBe(1)
    expect(ran.stderr).toContain(`${freeze.from} to ${freeze.to} Europe/Zurich`)
    expect(ran.stderr).toContain('maxAgeSeconds, 2592000')
  })

  it.each([
    ['an emergency without a reason', ['keys', 'rotate', '--emergency']],
    ['force without a reason', ['keys', 'activate', 'k'.repeat(43), '--force', '--reason', ' ']],
    ['a reason for nothing', ['keys', 'rotate', '--reason', 'because']],
  ])('do not take %s', async (_what, words) => {
    const ran = await here.run([...words, '--json'])
    expect(ran.exitCode).toBe(2)
    expect(ran.json()).toMatchObject({ error: { code: 'wrong_usage' } })
  })
})

it('keys activate --force does not wait, for a reason', async () => {
  await here.run(['keys', 'rotate'])
  const kid = (await theRing()).keys[1]?.kid ?? ''
  expect(await here.json(['keys', 'activate', kid, '--force', '--reason', 'nobody verifies yet'])).toMatchObject({
    activeKid: kid,
  })
  expect(await readFile(join(here.folder, 'data', 'audit.jsonl'), 'utf8')).toContain('"overrides":"propagation"')
})

describe('keys and a public JWKS URL', () => {
  it('show in status, dry run and rotate that it lacks the key, until it has it', async () => {
    let published = '{"keys":[]}'
    const server = createServer((_request, response) => response.end(published))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
    try {
      await configureKeys({ publicJwksUrls: [url] })
      await here.run(['keys', 'rotate'])
      const clock = laterBy(propagationSeconds + 1)
      const waits = `waits for ${url} (does not have the key)`
      expect((await here.run(['keys', 'status'], { clock })).stdout).toContain(waits)
      expect((await here.run(['keys', 'rotate', '--dry-run'], { clock })).stdout).toContain(waits)
      expect((await here.run(['keys', 'rotate'], { clock })).stdout).toContain(waits)
      expect(statesOf(await theRing({ clock }))).toEqual(['active', 'published'])

      published = (await here.run(['keys', 'export'])).stdout
      let stop = (_: string): void => {}
      const watched = await here.run(['keys', 'status', '--watch', '--interval', '1'], {
        clock: { ...clock, after: (_, call) => clock.after(0, call) },
        onStop: (call) => {
          stop = call
          return () => {}
        },
        onOutput: (stdout) => {
          if (stdout.split('version').length > 2) stop('SIGINT')
        },
      })
      expect(watched.stdout).toContain('may sign now\n')
      expect(watched.stdout).not.toContain('waits for')
      expect(await here.json(['keys', 'rotate'], { clock })).toMatchObject({ done: true })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('keys resume, rewrap and export', () => {
  it('resume takes what is due, and nothing else', async () => {
    expect((await here.run(['keys', 'resume'])).stdout).toMatch(
      /^tokens: [\w-]{43} made -> published\nfeed: [\w-]{43} made -> published\n$/u,
    )
    expect((await here.run(['keys', 'resume'])).stdout).toBe(
      'tokens: nothing was left to do\nfeed: nothing was left to do\n',
    )
    await here.run(['keys', 'rotate'], { clock: laterBy(propagationSeconds + 1) })
    const { rings } = await here.json(['keys', 'resume', '--ring', 'tokens'], {
      clock: laterBy(propagationSeconds + 2500),
    })
    expect(rings).toMatchObject([
      {
        moves: [
          { from: 'retiring', to: 'retired' },
          { from: null, to: 'published' },
        ],
      },
    ])
  })

  it('rewrap has nothing to do under the same key-encryption key', async () => {
    expect((await here.run(['keys', 'rewrap'])).stdout).toMatch(
      /^tokens: 0 sealed anew; .* under [\w-]+ now\nfeed: 0 sealed anew; .* now\n$/u,
    )
  })

  it('export prints the public halves and no more', async () => {
    await here.run(['keys', 'rotate'])
    const ran = await here.run(['keys', 'export'])
    const { keys } = JSON.parse(ran.stdout)
    expect(keys.map(({ kid }: { kid: string }) => kid)).toEqual((await theRing()).keys.map(({ kid }) => kid))
    for (const key of keys) expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    expect(await here.json(['keys', 'export'])).toEqual({ keys })
  })
})
