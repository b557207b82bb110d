import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cliErrorCodes } from '../src/index.ts'
import { findFreePort } from './free-port.ts'
import { emptyFolder } from './installation.ts'
import { run } from './run.ts'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

let folder: string
beforeAll(async () => {
  folder = await emptyFolder()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The example's lines, read as a shell would: a pipe from printf, `<` and `>` with one file. */
const lines = (readme.match(/```sh example\n([\s\S]*?)```/u)?.[1] ?? '').trim().split('\n')

describe('the README', () => {
  it('has an example that works, line by line', async () => {
    expect(lines.length).toBeGreaterThan(5)
    const env = { COUNTERSIGN_PORT: String(await findFreePort()) }
    for (const line of lines) {
      const [, typed = '', words = '', arrow, file = ''] =
        line.match(/^(?:printf '(.*)' \| )?countersign (.*?)(?: ([<>]) (\S+))?$/u) ?? []
      const input = arrow === '<' ? await readFile(join(folder, file), 'utf8') : typed
      const ran = await run(words.split(' '), { cwd: folder, env, input })
      expect([line, ran.exitCode, ran.exitCode === 0 ? '' : ran.stderr]).toEqual([line, 0, ''])
      if (arrow === '>') await writeFile(join(folder, file), ran.stdout)
    }
  })

  it('names every code', () => {
    for (const code of cliErrorCodes) expect(readme).toContain(`\`${code}\``)
  })
})
