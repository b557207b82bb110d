import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const packageDir = new URL('..', import.meta.url).pathname

it('runs the example of the README', async () => {
  const readme = await readFile(join(packageDir, 'README.md'), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1]
  // Beside the package, so that its own name resolves; on free ports, so that nothing else is in the way.
  const dir = await mkdtemp(join(packageDir, 'test', 'readme-'))
  try {
    await writeFile(join(dir, 'example.ts'), example ?? '')
    const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], {
      cwd: dir,
      env: {
        ...process.env,
        COUNTERSIGN_PORT: '0',
        COUNTERSIGN_METRICS_PORT: '0',
        COUNTERSIGN_LOG_LEVEL: 'silent',
      },
    })
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+ client_\S+ \S+\n$/)
  } finally {
    await rm(dir, { recursive: true })
  }
})
