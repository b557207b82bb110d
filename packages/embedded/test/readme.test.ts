import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { openCredentials } from '@countersign/credentials'
import { kekOf, loadConfig, openTokenService } from '@countersign/server'
import { expect, it, onTestFinished } from 'vitest'
import { surroundings } from './fixture.ts'

const around = surroundings()
const packageDir = new URL('..', import.meta.url).pathname
const docs = new URL('../../../docs/', import.meta.url).pathname

const blocksOf = (page: string, language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, code = '']) => code)

/** A program beside the package, so that its own name resolves. */
async function programOf(blocks: readonly string[], files: Readonly<Record<string, string>> = {}) {
  const dir = await mkdtemp(join(packageDir, 'test', 'readme-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'example.ts'), blocks.join('\n'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content)
  return () => promisify(execFile)(process.execPath, ['example.ts'], { cwd: dir })
}

it('runs the example of the README', async () => {
  const readme = await readFile(join(packageDir, 'README.md'), 'utf8')
  const run = await programOf(blocksOf(readme, 'ts').slice(0, 1))
  expect((await run()).stdout).toBe('false\n7\n')
})

it('runs every step of the tutorial, which prints what the page says', async () => {
  const page = await readFile(join(docs, 'tutorials', 'embed-auth-in-your-tool.md'), 'utf8')
  const steps = page.match(/^## \d/gm)?.length
  expect([blocksOf(page, 'ts').length, blocksOf(page, 'text').length]).toEqual([steps, steps])
  const run = await programOf(blocksOf(page, 'ts'))
  const printed = blocksOf(page, 'text')
  expect((await run()).stdout).toBe(printed.join(''))
  // "Run it again, and it stops at step 2."
  await expect(run()).rejects.toMatchObject({ stdout: printed[0], stderr: expect.stringContaining('name_taken') })
})

it('moves tokens that Python made off Fernet, as the guide says', async () => {
  const page = await readFile(join(docs, 'how-to', 'move-off-fernet.md'), 'utf8')
  const vectors = new URL('../../credentials/test/vectors/fernet.json', import.meta.url)
  const { keys, cases } = JSON.parse(await readFile(vectors, 'utf8'))
  const old = { github: cases[1].token, slack: cases[2].token }
  const files = { 'fernet-keys.txt': `${keys.join('\n')}\n`, 'old-credentials.json': JSON.stringify(old) }
  const run = await programOf(blocksOf(page, 'ts'), files)
  // "Run it as often as you like."
  for (const _time of [1, 2]) expect((await run()).stdout).toBe('github, slack\n')
})

it('opens the directory of a module by the configuration that the guide shows, for the command line', async () => {
  const auth = await around.open()
  await auth.storeCredential('github', Buffer.from('ghp_1'))
  await auth.close()
  const page = await readFile(join(docs, 'how-to', 'move-off-fernet.md'), 'utf8')
  const folder = dirname(around.dataDir)
  await writeFile(join(folder, 'countersign.config.json'), blocksOf(page, 'json').join(''))
  const config = await loadConfig({ cwd: folder, env: {} })
  const { credentialStore: store, close } = await openTokenService(config)
  const credentials = await openCredentials({ store, kek: kekOf(config) })
  const found = await credentials.of('module').get('github')
  await close()
  expect(found).toEqual(Buffer.from('ghp_1'))
})
