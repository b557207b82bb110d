import { describe, expect, it } from 'vitest'
import { run } from './run.ts'

const commands = [
  ['init'],
  ['serve'],
  ['doctor'],
  ['keys', 'list'],
  ['keys', 'status'],
  ['keys', 'rotate'],
  ['keys', 'activate'],
  ['keys', 'revoke'],
  ['clients', 'add'],
  ['clients', 'list'],
  ['clients', 'disable'],
  ['clients', 'rotate-secret'],
  ['users', 'add'],
  ['users', 'list'],
  ['users', 'disable'],
  ['users', 'set-password'],
  ['sessions', 'list'],
  ['sessions', 'revoke'],
  ['token', 'issue'],
  ['token', 'inspect'],
  ['token', 'verify'],
  ['token', 'revoke'],
  ['explain'],
  ['consumers', 'check'],
  ['consumers', 'matrix'],
  ['auth', 'login'],
  ['auth', 'status'],
  ['auth', 'token'],
  ['auth', 'refresh'],
  ['auth', 'logout'],
  ['credentials', 'put'],
  ['credentials', 'get'],
  ['credentials', 'list'],
  ['credentials', 'remove'],
  ['credentials', 'import-fernet'],
  ['credentials', 'rewrap'],
  ['backup'],
  ['restore'],
  ['db', 'copy'],
  ['completion'],
]

describe('help', () => {
  it.each(commands.map((words) => [words.join(' '), words] as const))('of `%s` shows how', async (name, words) => {
    const { exitCode, stdout, stderr } = await run([...words, '--help'])
    expect(exitCode).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toContain(`Usage: countersign ${name}`)
    expect(stdout).toContain('Examples:')
    expect(stdout).toContain('--json')
    expect(stdout).not.toMatch(/[ \t]$/mu)
  })

  it('names every command there is', async () => {
    const { exitCode, stdout } = await run(['--help'])
    expect(exitCode).toBe(0)
    const listed = stdout
      .split('Commands:')[1]
      ?.split('Examples:')[0]
      ?.match(/^ {2}[a-z-]+/gmu)
      ?.map((line) => line.trim())
    expect(listed).toEqual([...new Set(commands.map(([first]) => first))])
  })

  it('prints the version', async () => {
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/u) })
  })
})

describe('wrong usage', () => {
  const wrong: [what: string, argv: string[], says: RegExp][] = [
    ['no command', [], /Usage: countersign/u],
    ['a command that is none', ['frobnicate'], /unknown command 'frobnicate'/u],
    ['a group without a command', ['keys'], /Usage: countersign keys/u],
    ['a command that a group has not', ['keys', 'destroy'], /unknown command 'destroy'/u],
    ['an option that is none', ['doctor', '--frobnicate'], /unknown option '--frobnicate'/u],
    ['an argument too many', ['serve', 'now'], /too many arguments/u],
    ['a missing argument', ['users', 'add'], /missing required argument 'name'/u],
    ['a secret on the command line', ['users', 'add', 'ada', 'hunter2'], /too many arguments/u],
    ['a token on the command line', ['explain', 'a.b.c'], /too many arguments/u],
    ['a missing option', ['clients', 'add', 'etl'], /required option '--audience <name>' not specified/u],
    ['an empty option', ['clients', 'add', 'etl', '--audience', ' '], /It is empty/u],
    ['a choice that is none', ['clients', 'add', 'x', '--audience', 'y', '--refresh', 'fax'], /Allowed choices/u],
    ['a time that is none', ['clients', 'rotate-secret', 'etl', '--keep', '1e3'], /a time such as 24h/u],
    ['a time that is too long', ['clients', 'rotate-secret', 'etl', '--keep', '31d'], /at most 2592000 s/u],
    ['a number out of bounds', ['keys', 'status', '--interval', '0'], /whole number from 1 to 3600/u],
    ['a kid that is none', ['keys', 'activate', 'k7'], /43 base64url characters/u],
    ['watching a document', ['keys', 'status', '--watch', '--json'], /exclude each other/u],
    ['a profile that is none', ['explain', '--profile', 'okta'], /Allowed choices/u],
    ['a profile for our own tokens', ['explain', '--profile', 'auth0'], /needs --issuer/u],
    ['writing and checking', ['consumers', 'matrix', '--write', '--check'], /exclude each other/u],
    ['a backup to nowhere', ['backup'], /missing required argument 'file'/u],
    ['a copy to nowhere', ['db', 'copy'], /required option '--to <address>' not specified/u],
    ['a shell that is none', ['completion', 'tcsh'], /Allowed choices/u],
    ['a secret to store on the command line', ['credentials', 'put', 'github', 'hunter2'], /too many arguments/u],
    ['a password on the command line', ['auth', 'login', '--password', 'hunter2'], /unknown option '--password'/u],
    ['tokens of Fernet without keys', ['credentials', 'import-fernet'], /required option '--key-file <file>'/u],
    ['a configuration without a name', ['doctor', '--config'], /argument missing/u],
  ]
  it.each(wrong)('%s exits with 2', async (_what, argv, says) => {
    const { exitCode, stdout, stderr } = await run(argv)
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(says)
    if (!argv.includes('--json')) expect(stdout).toBe('')
  })

  it('says so in one document with --json', async () => {
    const ran = await run(['keys', 'frobnicate', '--json'])
    expect(ran.exitCode).toBe(2)
    expect(ran.json()).toMatchObject({ error: { code: 'wrong_usage', message: "unknown command 'frobnicate'" } })
  })

  const secrets: string[][] = [
    ['users', 'add', 'ada', 'hunter2'],
    ['users', 'add', 'ada', '--password=hunter2'],
    ['users', 'add', 'ada', '--password', 'hunter2'],
    ['users', 'add', 'ada', 'hunter2', '--json'],
    ['users', 'add', 'ada', '--password=hunter2', '--json'],
    ['explain', 'hunter2'],
    ['auth', 'login', 'ada', 'hunter2'],
    ['auth', 'login', '--password=hunter2', '--json'],
    ['credentials', 'put', 'github', 'hunter2'],
    ['credentials', 'put', 'github', 'hunter2', '--json'],
  ]
  it.each(secrets.map((argv) => [argv.join(' '), argv] as const))(
    'never repeats the secret of `%s`',
    async (_, argv) => {
      const { exitCode, stdout, stderr } = await run(argv)
      expect(exitCode).toBe(2)
      expect(stdout + stderr).not.toContain('hunter2')
    },
  )

  it.each([['\u001b[2Jx'], ['--\u001b[2Jx'], ['explain', '--profile', '\u001b]0;x\u0007']])(
    'lets no word act on the terminal: %j',
    async (...argv) => {
      const { exitCode, stderr } = await run(argv)
      expect(exitCode).toBe(2)
      expect(stderr).toContain('\\u{1b}')
      expect(stderr).not.toContain('\u001b')
    },
  )

  it('takes a kid that begins with a dash for a kid', async () => {
    const { exitCode, stderr } = await run(['keys', 'activate', `-${'k'.repeat(42)}`, '--config', '/nowhere/c.json'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('/nowhere/c.json')
  })
})
