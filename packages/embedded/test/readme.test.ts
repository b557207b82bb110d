import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const packageDir = new URL('..', import.meta.url).pathname
const docs = new URL('../../../docs/', import.meta.url).pathname

const blocksOf = (page: string, language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, code = '']) => code)

/** Beside the package, so that its own name resolves. */
async function runs(blocks: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<string> {
  const dir = await mkdtemp(join(packageDir, 'test', 'readme-'))
  try {
    await writeFile(join(dir, 'example.ts'), blocks.join('\n'))
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content)
    const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: dir })
    return stdout
  } finally {
    await rm(dir, { recursive: true })
  }
}

it('runs the example of the README', async () => {
  const readme = await readFile(join(packageDir, 'README.md'), 'utf8')
  expect(await runs(blocksOf(readme, 'ts').slice(0, 1))).toBe('false\n7\n')
})

it('runs every step of the tutorial, which prints what the page says', async () => {
  const page = await readFile(join(docs, 'tutorials', 'embed-auth-in-your-tool.md'), 'utf8')
  const steps = page.match(/^## \d/gm)?.length
  expect([blocksOf(page, 'ts').length, blocksOf(page, 'text').length]).toEqual([steps, steps])
  expect(await runs(blocksOf(page, 'ts'))).toBe(blocksOf(page, 'text').join(''))
})

it('moves tokens that Python made off Fernet, as the guide says', async () => {
  const page = await readFile(join(docs, 'how-to', 'move-off-fernet.md'), 'utf8')
  const vectors = new URL('../../credentials/test/vectors/fernet.json', import.meta.url)
  const { keys, cases } = JSON.parse(await readFile(vectors, 'utf8'))
  const old = { github: cases[1].token, slack: cases[2].token }
  const files = { 'fernet-keys.txt': `${keys.join('\n')}\n`, 'old-credentials.json': JSON.stringify(old) }
  expect(await runs(blocksOf(page, 'ts'), files)).toBe('github, slack\n')
})
