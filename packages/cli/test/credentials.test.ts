import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanText } from '../src/clean-text.ts'
import { readSecretBytes } from '../src/read-bytes.ts'
import { type Installation, install } from './installation.ts'
import { terminal } from './run.ts'

interface Vector {
  readonly key: string
  readonly madeAt: number
  readonly secret: string
  readonly token: string
}
const vectors: { keys: string[]; cases: Vector[] } = JSON.parse(
  await readFile(new URL('../../credentials/test/vectors/fernet.json', import.meta.url), 'utf8'),
)
/** With something in it. */
const cases = vectors.cases.filter(({ secret }) => secret !== '')
const [one, two] = cases as [Vector, Vector]

let here: Installation
beforeAll(async () => {
  here = await install()
  await writeFile(join(here.folder, 'fernet.keys'), `${vectors.keys.join('\n')}\n`, { mode: 0o600 })
})
afterAll(() => here.remove())

const credentials = (argv: readonly string[], options = {}) => here.run(['credentials', ...argv], options)
const base64Of = async (name: string, owner = 'module') =>
  (await here.json(['credentials', 'get', name, '--owner', owner])).base64
const namesOf = async (owner: string) =>
  ((await here.json(['credentials', 'list', '--owner', owner])).credentials as { name: string }[]).map(
    ({ name }) => name,
  )

describe('credentials', () => {
  it('are put, listed, got, replaced and removed', async () => {
    const secret = 'ghp_0123456789'
    const put = await credentials(['put', 'github'], { input: `${secret}\n` })
    expect(put).toMatchObject({ exitCode: 0, stdout: 'github is stored, version 1\n' })
    expect(await credentials(['get', 'github', '--quiet'])).toMatchObject({ exitCode: 0, stdout: secret, stderr: '' })
    const listed = await credentials(['list'])
    expect(listed.stdout).toMatch(/^NAME +VERSION +CREATED +UPDATED\ngithub +1 +\d{4}-.*Z +\d{4}-.*Z\n$/u)
    await credentials(['put', 'github'], { input: 'another' })
    expect(await here.json(['credentials', 'list'])).toEqual({
      owner: 'module',
      credentials: [{ name: 'github', version: 2, createdAt: expect.any(Number), updatedAt: expect.any(Number) }],
    })
    expect(await namesOf('ada')).toEqual([])
    expect((await credentials(['remove', 'github'])).stdout).toBe('github is removed\n')
    expect(await credentials(['remove', 'github'])).toMatchObject({ exitCode: 1 })
    const gone = await credentials(['get', 'github', '--json'])
    expect(gone.json()).toMatchObject({ error: { code: 'not_found' } })
    const stored = await readFile(join(here.folder, 'data/countersign.db'), 'latin1')
    expect(stored).not.toContain(secret)
    const audit = await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')
    for (const action of ['put', 'get', 'remove']) expect(audit).toContain(`"action":"credential.${action}"`)
    expect(audit).not.toContain(secret)
  })

  it('are bytes, and stay what they were', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
    const file = join(here.folder, 'key.der')
    await writeFile(file, Uint8Array.of(...bytes, 0x0a))
    await credentials(['put', 'key', '--file', file, '--owner', 'ada'])
    expect(await base64Of('key', 'ada')).toBe(Buffer.from(bytes).toString('base64'))
    await credentials(['put', 'key', '--file', file, '--owner', 'ada', '--raw'])
    const stdout = new PassThrough()
    await credentials(['get', 'key', '--owner', 'ada'], { stdout })
    expect(Buffer.from(stdout.read()).equals(Buffer.from([...bytes, 0x0a]))).toBe(true)
  })

  it('go to a terminal only when that is asked for, without acting on it', async () => {
    await credentials(['put', 'evil'], { input: 'a\u001b[2Jb' })
    const screen = Object.assign(terminal(), { isTTY: true })
    let shown = ''
    screen.on('data', (text) => {
      shown += String(text)
    })
    const refused = await credentials(['get', 'evil'], { stdout: screen })
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('(terminal_refused)') })
    expect(shown).toBe('')
    expect((await credentials(['get', 'evil', '--show'], { stdout: screen })).exitCode).toBe(0)
    expect(shown).toBe(`${cleanText('a\u001b[2Jb')}\n`)
  })

  const refused: [what: string, argv: string[], input: string, code: string][] = [
    ['nothing', ['put', 'x'], '', 'bad_input'],
    ['a line ending alone', ['put', 'x'], '\r\n', 'bad_input'],
    ['too much', ['put', 'x'], 'x'.repeat(65_537), 'data_too_large'],
    ['far too much', ['put', 'x'], 'x'.repeat(65_540), 'bad_input'],
    ['a path for a name', ['put', '../x'], 'y', 'name_invalid'],
    ['a path for an owner', ['put', 'x', '--owner', '..'], 'y', 'name_invalid'],
    ['a name that acts on a terminal', ['put', '\u001b[2J'], 'y', 'name_invalid'],
    ['a file that is not there', ['put', 'x', '--file', 'nowhere'], '', 'ENOENT'],
  ]
  it.each(refused)('are refused: %s', async (_what, argv, input, code) => {
    const ran = await credentials([...argv, '--json'], { input })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code } })
    expect(ran.stderr).not.toMatch(/^\s+at /mu)
    expect(ran.stderr).not.toContain('\u001b')
  })

  it('are refused by their name before anybody is asked for one, or the log says that one was stored', async () => {
    const recorded = async () =>
      (await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')).split('"credential.put"').length
    const before = await recorded()
    const ran = await credentials(['put', '../x'], { stdin: terminal(), stderr: terminal() })
    expect(ran.exitCode).toBe(1)
    expect(await recorded()).toBe(before)
  })

  it('are read without a final line ending of any kind, unless they are to be raw', async () => {
    const io = { stdin: PassThrough.from([Buffer.from('a\r\n')]), cwd: '/' } as never
    expect(String(await readSecretBytes(io, {}, 10))).toBe('a')
  })
})

describe('import-fernet', () => {
  const args = ['import-fernet', '--key-file', 'fernet.keys']
  const at = () => ({ cwd: here.folder })
  const lines = (entries: readonly (readonly [string, string])[]) =>
    entries.map(([name, token]) => `${name}\t${token}\n`).join('')

  it('moves tokens of several keys over, first as a rehearsal', async () => {
    const input = lines(cases.map(({ token }, index) => [`secret ${index}`, token]))
    const owner = ['--owner', 'lines']
    const rehearsed = await credentials([...args, ...owner, '--dry-run'], { ...at(), input })
    expect(rehearsed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^NAME +WOULD BE\n/u) })
    expect(await namesOf('lines')).toEqual([])
    const done = await credentials([...args, ...owner], { ...at(), input })
    expect(done.exitCode).toBe(0)
    for (const [index, { secret }] of cases.entries()) expect(await base64Of(`secret ${index}`, 'lines')).toBe(secret)
    for (const { token } of cases) expect(done.stdout + done.stderr).not.toContain(token.slice(0, 40))
  })

  it('takes one JSON object, from a file, and can be repeated', async () => {
    const file = join(here.folder, 'tokens.json')
    await writeFile(file, JSON.stringify({ a: one.token, b: two.token }, null, 2))
    const argv = [...args, '--owner', 'object', '--file', file, '--json']
    const first = await credentials(argv, at())
    expect(first.json()).toMatchObject({ entries: [{ kind: 'new' }, { kind: 'new' }] })
    await credentials(['remove', 'b', '--owner', 'object'])
    // As after a crash between the two.
    const again = await credentials(argv, at())
    expect(again.json()).toMatchObject({ entries: [{ kind: 'same' }, { kind: 'new' }] })
    expect((await here.json(['credentials', 'list', '--owner', 'object'])).credentials).toMatchObject([
      { name: 'a', version: 1 },
      { name: 'b', version: 1 },
    ])
  })

  it('imports nothing when one entry cannot be, and says which and why, without its text', async () => {
    const altered = `${two.token.slice(0, -8)}AAAAAAA=`
    const input = `good\t${one.token}\nbad\t${altered}\nno tab\n../x\t${one.token}\ngood\t${one.token}\n`
    const ran = await credentials([...args, '--owner', 'none', '--json'], { ...at(), input })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({
      error: { code: 'import_refused', message: '4 of 5 cannot be imported; nothing was.' },
      failed: expect.arrayContaining([
        { at: 'line 2', name: 'bad', code: 'fernet_invalid' },
        { at: 'line 3', name: '', code: 'line_malformed' },
        { at: 'line 4', name: '../x', code: 'name_invalid' },
        { at: 'line 5', name: 'good', code: 'name_repeated' },
      ]),
    })
    const page = await credentials([...args, '--owner', 'none'], { ...at(), input })
    expect(page.stdout).toContain('line 2 (bad) was made with none of the keys, or was altered')
    expect(page.stderr).toContain('(import_refused)')
    expect(ran.stdout + page.stdout + page.stderr).not.toContain('gAAAA')
    expect(await namesOf('none')).toEqual([])
  })

  it('writes over another secret only when told to', async () => {
    const argv = [...args, '--owner', 'over']
    await credentials(['put', 'a', '--owner', 'over'], { input: 'mine' })
    const input = lines([['a', one.token]])
    const refused = await credentials([...argv, '--json'], { ...at(), input })
    expect(refused.json()).toMatchObject({ failed: [{ name: 'a', code: 'exists_already' }] })
    expect((await credentials([...argv, '--replace'], { ...at(), input })).exitCode).toBe(0)
    expect(await base64Of('a', 'over')).toBe(one.secret)
  })

  it('refuses what is older than it may be', async () => {
    const input = lines([['a', one.token]])
    const clock = { now: () => one.madeAt + 100, monotonicMs: () => performance.now(), after: () => () => {} }
    const run = (ttl: string) =>
      credentials([...args, '--owner', 'old', '--ttl', ttl, '--dry-run', '--json'], { ...at(), clock, input })
    expect((await run('99')).json()).toMatchObject({ failed: [{ code: 'fernet_expired' }] })
    expect((await run('101')).exitCode).toBe(0)
  })

  it('stays below what an owner may have', async () => {
    const input = JSON.stringify(
      Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`n${index}`, one.token])),
    )
    const ran = await credentials([...args, '--owner', 'many', '--json'], { ...at(), input })
    expect(ran.json()).toMatchObject({ error: { code: 'import_refused' } })
    expect(await namesOf('many')).toEqual([])
  })

  it('warns of a key file that others can read', async () => {
    const file = join(here.folder, 'loose.keys')
    await writeFile(file, vectors.keys.join('\n'))
    await chmod(file, 0o644)
    const ran = await credentials(['import-fernet', '--key-file', file, '--dry-run'], {
      ...at(),
      input: lines([['a', one.token]]),
    })
    expect(ran.stderr).toContain('can be read by others')
    expect((await stat(file)).mode & 0o777).toBe(0o644)
  })

  const wrong: [what: string, keys: string, input: string, code: string][] = [
    ['keys that are none', 'rubbish', `a\t${one.token}`, 'fernet_key_invalid'],
    ['no keys', '\n', `a\t${one.token}`, 'bad_input'],
    ['nothing', vectors.keys.join('\n'), '\n\n', 'bad_input'],
    ['half an object', vectors.keys.join('\n'), `{ "a": "${one.token}"`, 'bad_input'],
  ]
  it.each(wrong)('refuses %s', async (_what, keys, input, code) => {
    const file = join(here.folder, 'wrong.keys')
    await writeFile(file, keys, { mode: 0o600 })
    const ran = await credentials(['import-fernet', '--key-file', file, '--json'], { ...at(), input })
    expect(ran.json()).toMatchObject({ error: { code } })
    expect(ran.stdout + ran.stderr).not.toMatch(/gAAAA|rubbish/u)
  })
})

describe('rewrap', () => {
  it('puts every secret under the new key, with a bar on a terminal, and tells what it could not open', async () => {
    const there = await install()
    const put = (name: string, owner: string) =>
      there.run(['credentials', 'put', name, '--owner', owner], { input: `secret of ${owner}` })
    await put('a', 'ada')
    await put('b', 'eve')
    const kek = join(there.folder, 'data/kek')
    const [old, config] = [await readFile(kek, 'utf8'), await readFile(there.configFile, 'utf8')]
    await writeFile(join(there.folder, 'data/kek.old'), old, { mode: 0o600 })
    await writeFile(kek, `${Buffer.alloc(32, 7).toString('base64url')}\n`, { mode: 0o600 })
    const both = { ...JSON.parse(config), previousKekFiles: ['data/kek.old'] }
    await writeFile(there.configFile, JSON.stringify(both))

    const screen = terminal()
    let shown = ''
    screen.on('data', (text) => {
      shown += String(text)
    })
    const ran = await there.run(['credentials', 'rewrap'], { stderr: screen })
    expect(ran).toMatchObject({ exitCode: 0, stdout: 'wrapped anew  2\nwere already  0\nfailed        0\n' })
    expect(shown).toMatch(/█{30} 2 of 2 credentials\r/u)
    expect(await there.json(['credentials', 'rewrap'])).toEqual({ rewrapped: 0, current: 2, failed: [] })
    await there.run(['keys', 'rewrap'])
    await writeFile(there.configFile, config)
    expect((await there.run(['credentials', 'get', 'b', '--owner', 'eve'])).stdout).toBe('secret of eve')

    await writeFile(there.configFile, JSON.stringify({ ...both, previousKekFiles: ['data/kek.now'] }))
    await writeFile(join(there.folder, 'data/kek.now'), await readFile(kek, 'utf8'), { mode: 0o600 })
    await writeFile(kek, `${Buffer.alloc(32, 9).toString('base64url')}\n`, { mode: 0o600 })
    const { default: Database } = await import('better-sqlite3')
    const database = new Database(join(there.folder, 'data/countersign.db'))
    database.prepare("UPDATE credentials SET sealed = 'v1.x' WHERE owner = 'ada'").run()
    database.close()
    const partly = await there.run(['credentials', 'rewrap', '--json'])
    expect(partly.exitCode).toBe(1)
    expect(partly.json()).toEqual({
      rewrapped: 1,
      current: 0,
      failed: [{ owner: 'ada', name: 'a', code: 'malformed' }],
    })
    await there.remove()
  })
})
