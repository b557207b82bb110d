import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyFolder } from './installation.ts'
import { run } from './run.ts'

let folder: string
beforeEach(async () => {
  folder = await emptyFolder()
  const module = `
    const api = { scopes: ['items:read'], obtainedBy: 'sign-in' } as const
    export const consumers = { api, old: { scopes: ['old:read'], obtainedBy: 'sign-in', algorithm: 'ES256' as const } }
  `
  await writeFile(join(folder, 'consumers.ts'), module)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const from = ['--consumers', 'consumers.ts']

describe('consumers check', () => {
  it('reads a module and says that all is well', async () => {
    const ran = await run(['consumers', 'check', ...from], { cwd: folder })
    expect(ran).toMatchObject({ exitCode: 0, stdout: '2 consumers: no errors, no warnings\n' })
  })

  it('holds a fleet to Ed25519', async () => {
    const ran = await run(['consumers', 'check', ...from, '--ed25519-only', '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ ok: false, findings: [{ code: 'not_ed25519', audience: 'old' }] })
    const told = await run(['consumers', 'check', ...from, '--ed25519-only'], { cwd: folder })
    expect(told.stdout).toMatch(/^error: old: .*\(not_ed25519\)\n {2}Move the consumer/u)
  })

  it('says warnings and exits with 0', async () => {
    const matrix = { api: { scopes: ['items:write'], obtainedBy: 'sign-in' } }
    await writeFile(join(folder, 'c.json'), JSON.stringify(matrix))
    const ran = await run(['consumers', 'check', '--consumers', 'c.json'], { cwd: folder })
    expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 consumer: no errors, 1 warning\n') })
  })

  const refused: [what: string, text: string, code: string][] = [
    ['that is no matrix', '[]', 'invalid_matrix'],
    ['with a scope that is none', '{ "api": { "scopes": ["Read"], "obtainedBy": "sign-in" } }', 'invalid_scope'],
    ['that is no JSON', '{', 'config_unreadable'],
  ]
  it.each(refused)('refuses a file %s', async (_what, text, code) => {
    await writeFile(join(folder, 'c.json'), text)
    const ran = await run(['consumers', 'check', '--consumers', 'c.json', '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code } })
  })
})

describe('consumers matrix', () => {
  it('prints the document', async () => {
    const ran = await run(['consumers', 'matrix', ...from], { cwd: folder })
    expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^# JWT consumer matrix\n/u) })
    const json = await run(['consumers', 'matrix', ...from, '--json'], { cwd: folder })
    expect(json.json()).toMatchObject({ markdown: ran.stdout, matrix: { consumers: { api: { audience: 'api' } } } })
  })

  it('writes it, and tells when it is stale', async () => {
    const file = join(folder, 'docs/security/jwt-consumer-matrix.md')
    const matrix = (...flags: string[]) => run(['consumers', 'matrix', ...from, ...flags, '--json'], { cwd: folder })
    const missing = await matrix('--check')
    expect(missing.exitCode).toBe(1)
    expect(missing.json()).toMatchObject({ error: { code: 'stale_document' } })

    expect((await matrix('--write')).json()).toEqual({ file, changed: true })
    expect((await matrix('--write')).json()).toEqual({ file, changed: false })
    expect((await matrix('--check')).json()).toEqual({ file, stale: false })

    await writeFile(file, `${await readFile(file, 'utf8')}\n`)
    const stale = await matrix('--check')
    expect(stale.exitCode).toBe(1)
    expect(stale.json()).toMatchObject({ error: { message: `${file} is stale.` } })
  })

  it('writes where it is told', async () => {
    await mkdir(join(folder, 'out'))
    const ran = await run(['consumers', 'matrix', ...from, '--write', 'out/matrix.md'], { cwd: folder })
    expect(ran).toMatchObject({ exitCode: 0, stdout: `${join(folder, 'out/matrix.md')} written\n` })
  })
})
