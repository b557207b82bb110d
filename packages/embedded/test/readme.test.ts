import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const packageDir = new URL('..', import.meta.url).pathname

/** Beside the package, so that its own name resolves. */
async function runs(lines: readonly string[]): Promise<string> {
  const dir = await mkdtemp(join(packageDir, 'test', 'readme-'))
  try {
    await writeFile(join(dir, 'example.ts'), lines.join('\n'))
    const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: dir })
    return stdout
  } finally {
    await rm(dir, { recursive: true })
  }
}

it('runs the example of the README', async () => {
  const readme = await readFile(join(packageDir, 'README.md'), 'utf8')
  expect(await runs([/```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''])).toBe('false\n7\n')
})
