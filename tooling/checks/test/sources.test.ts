import { describe, expect, it } from 'vitest'
import { run as environment } from '../checks/environment.mjs'
import { run as fileSize } from '../checks/file-size.mjs'
import { run as readmes } from '../checks/readmes.mjs'
import { run as routeTests } from '../checks/route-tests.mjs'
import { run as words } from '../checks/words.mjs'
import { plant, plantRepository } from './plant.ts'

describe('the environment', () => {
  it.each([
    ['packages/cli/src/a.ts', 'export const e = process.env'],
    ['apps/agent-api/src/config.ts', 'export const e = process.env'],
    ['packages/keys/src/a.ts', 'export const e = (env: { A?: string }) => env.A // not process.env'],
  ])('may be read as in %s', (file, text) => {
    expect(environment({ root: plant({ [file]: text }) })).toEqual([])
  })

  it.each([
    ['packages/keys/src/a.ts', 'export const level = process.env.LEVEL'],
    ['packages/keys/src/b.ts', "export const level = process['env']"],
    ['packages/server/src/c.ts', "import { env } from 'node:process'"],
    ['apps/agent-api/src/routes/chat.ts', 'export const e = process.env'],
  ])('may not be read as in %s', (file, text) => {
    expect(environment({ root: plant({ [file]: text }) })).toEqual([expect.stringContaining(`${file} reads`)])
  })
})

describe('the size of files', () => {
  const long = 'export {}\n'.repeat(351)

  it('finds a file over 350 lines', () => {
    const root = plantRepository({ 'packages/keys/src/a.ts': long, 'packages/keys/src/b.ts': long.slice(10) })
    expect(fileSize({ root })).toEqual([expect.stringContaining('packages/keys/src/a.ts has 351 lines')])
  })

  it('takes a reason, and leaves tables of tests alone', () => {
    const root = plantRepository({
      'packages/keys/src/a.ts': `// One file because the table is read together.\n${long}`,
      'packages/keys/test/a.test.ts': long,
    })
    expect(fileSize({ root })).toEqual([])
  })
})

describe('READMEs', () => {
  it('are there, with a heading and the name that one installs', () => {
    const root = plant({
      'packages/keys/README.md': '# Keys\n\nnpm install @countersign/keys\n',
      'packages/guard/README.md': '# Guard\n',
      'packages/tokens/README.md': 'tokens\n',
      'apps/tour/src/main.ts': '',
    })
    expect(readmes({ root })).toEqual([
      'packages/guard/README.md never names @countersign/guard',
      'packages/tokens/README.md does not start with a heading',
      'apps/tour has no README.md',
    ])
  })
})

describe('words that must not be there', () => {
  it.each([
    ["const home = '/ro" + "ot/.npm'", 'a path of one machine'],
    ['see /wo' + 'rk/main', 'a path of one machine'],
    ['see /tm' + 'p/notes.md', 'a temporary path'],
    ['https://registry.npm' + 'js.org/x', "a registry's host"],
    ['// TO' + 'DO: mend', 'a word of unfinished work'],
    ["throw new Error('not imple" + "mented')", 'a word of unfinished work'],
    ['it.on' + "ly('x', () => {})", 'a focused test'],
  ])('finds %s', (text, what) => {
    const root = plantRepository({ 'notes/a.txt': `fine\n${text}\n` })
    expect(words({ root })).toEqual([expect.stringContaining(`notes/a.txt:2 holds ${what}`)])
  })

  it('finds a private key, on lines of its own or in a string', () => {
    const key = ['-----BEGIN PRIVATE KEY-----', `MC4CAQAwBQYDK2VwBCIEI${'A'.repeat(43)}`, '-----END PRIVATE KEY-----']
    const root = plantRepository({ 'a.pem': key.join('\n'), 'b.json': JSON.stringify({ key: key.join('\n') }) })
    expect(words({ root })).toEqual(['a.pem holds a private key', 'b.json holds a private key'])
  })

  it('leaves routes, own temporary folders and ordinary words alone', () => {
    const text = "'/workers' '/tmp/countersign-x' `$" + '{dir}/root/a` https://a.test/root/x onlyOnce todoList'
    expect(
      words({ root: plantRepository({ 'notes/a.txt': text, '.gitignore': 'b.txt', 'b.txt': '/ro' + 'ot/x' }) }),
    ).toEqual([])
  })
})

describe('the tests of routes', () => {
  const routes = { 'apps/agent-api/src/routes.ts': "router.get('/agents', 'agents:read', list)" }
  const sockets = { 'apps/cmux/src/sockets.ts': 'export const sockets = auth.webSocket({ messages })' }

  it('finds an app that declares routes or messages, and goes over none of them', () => {
    const root = plant({ ...routes, ...sockets, 'apps/agent-api/test/some.test.ts': "it('answers', () => {})" })
    expect(routeTests({ root })).toEqual([
      expect.stringContaining('apps/agent-api declares routes'),
      expect.stringContaining('apps/cmux declares messages'),
    ])
  })

  it('takes those that do, and leaves the others alone', () => {
    const root = plant({
      ...routes,
      ...sockets,
      'apps/agent-api/test/routes.test.ts': 'describeRoutes({}, vitest)',
      'apps/cmux/test/sockets.test.ts': 'describeMessages({}, vitest)',
      'apps/tour/src/main.ts': 'export {}',
    })
    expect(routeTests({ root })).toEqual([])
  })
})
