import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findFreePort } from './free-port.ts'
import { type Installation, install } from './installation.ts'
import type { RunOptions } from './run.ts'

let here: Installation
beforeEach(async () => {
  here = await install()
})
afterEach(() => here.remove())

interface Finding {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly where: string
  readonly remedy: string | null
}

async function examine(
  options?: RunOptions,
): Promise<{ exitCode: number; faults: readonly Finding[]; all: Finding[] }> {
  const ran = await here.run(['doctor', '--json'], options)
  const { findings } = ran.json() as { findings: Finding[] }
  return { exitCode: ran.exitCode, faults: findings.filter(({ level }) => level !== 'ok'), all: findings }
}

let freePort: RunOptions
beforeAll(async () => {
  freePort = { env: { COUNTERSIGN_PORT: String(await findFreePort()) } }
})

describe('doctor', () => {
  it('looks at everything and finds nothing', async () => {
    const { exitCode, faults, all } = await examine(freePort)
    expect({ exitCode, faults }).toEqual({ exitCode: 0, faults: [] })
    expect(all.map(({ check }) => check)).toEqual([
      'configuration',
      'files',
      'key-encryption key',
      'store',
      'keys',
      'consumers',
      'address',
    ])
    const told = await here.run(['doctor'], freePort)
    expect(told.stdout).toMatch(/\nno errors, no warnings\n$/u)
  })

  const kek = (): string => join(here.folder, 'data/kek')
  const ills: [what: string, make: () => Promise<unknown>, expected: Partial<Finding> & { remedy: string }][] = [
    [
      'a data directory that others can enter',
      () => chmod(join(here.folder, 'data'), 0o755),
      { check: 'files', what: expect.stringContaining('mode 0755'), remedy: expect.stringContaining('chmod 0700') },
    ],
    [
      'a key that others can read',
      () => chmod(kek(), 0o640),
      { check: 'files', remedy: expect.stringContaining('chmod') },
    ],
    ['a missing key', () => rm(kek()), { check: 'files', remedy: expect.stringContaining('backup') }],
    [
      'a key behind a link',
      async () => {
        await rename(kek(), `${kek()}.real`)
        await symlink(`${kek()}.real`, kek())
      },
      { check: 'files', remedy: expect.stringContaining('links') },
    ],
    [
      'a directory in place of the database',
      async () => {
        await rm(join(here.folder, 'data/countersign.db'))
        await mkdir(join(here.folder, 'data/countersign.db'), { mode: 0o700 })
      },
      { check: 'files', what: 'The database is no file.', remedy: expect.any(String) },
    ],
    ['no data directory', () => rm(join(here.folder, 'data'), { recursive: true }), { remedy: expect.any(String) }],
    [
      'a key that is none',
      () => writeFile(kek(), 'hello\n'),
      { check: 'key-encryption key', where: expect.stringContaining('kek'), remedy: expect.any(String) },
    ],
    [
      'another key than the one that sealed',
      () => writeFile(kek(), `${Buffer.alloc(32, 7).toString('base64url')}\n`),
      { check: 'store', remedy: expect.any(String) },
    ],
    [
      'a database that is none',
      () => writeFile(join(here.folder, 'data/countersign.db'), 'hello'.repeat(1_000)),
      { check: 'store', remedy: expect.any(String) },
    ],
    [
      'a configuration that is none',
      () => writeFile(here.configFile, '{}'),
      { check: 'configuration', what: expect.stringContaining('issuer'), remedy: expect.any(String) },
    ],
  ]
  it.each(ills)('finds %s', async (_what, make, expected) => {
    await make()
    const { exitCode, faults } = await examine(freePort)
    expect(exitCode).toBe(1)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatchObject({ level: 'error', ...expected })
  })

  it('warns of a matrix that is probably not meant so', async () => {
    const config: { consumers: { api: { scopes: object } } } = JSON.parse(await readFile(here.configFile, 'utf8'))
    config.consumers.api.scopes = ['items:write']
    await writeFile(here.configFile, JSON.stringify(config))
    const { exitCode, faults } = await examine(freePort)
    expect(exitCode).toBe(0)
    expect(faults).toMatchObject([{ check: 'consumers', level: 'warning', where: 'consumer api' }])
  })

  const listeners: [what: string, issuer: string | undefined, seconds: number, expected: object][] = [
    ['something else', undefined, 0, [{ check: 'address', level: 'error', what: 'Something else listens there.' }]],
    [
      'another issuer',
      'https://other.example',
      0,
      [{ level: 'error', what: expect.stringContaining('other.example') }],
    ],
    ['the service', 'http://127.0.0.1:4600', 0, []],
    ['the service, 10 s away', 'http://127.0.0.1:4600', 10, [{ check: 'clock', level: 'warning' }]],
    ['the service, 5 min away', 'http://127.0.0.1:4600', -300, [{ check: 'clock', level: 'error' }]],
  ]
  it.each(listeners)('knows %s at its address', async (_what, issuer, seconds, expected) => {
    const server = createServer((_request, response) => {
      response.setHeader('date', new Date(Date.now() + seconds * 1000).toUTCString())
      response.end(issuer === undefined ? '<html>' : JSON.stringify({ issuer }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as AddressInfo
      const { faults } = await examine({ env: { COUNTERSIGN_PORT: String(port) } })
      expect(faults).toMatchObject(expected)
    } finally {
      server.close()
    }
  })
})
