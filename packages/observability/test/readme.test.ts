import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { logFields, observabilityErrorCodes } from '../src/index.ts'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

describe('the README', () => {
  it('has an example that runs', async () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const front = JSON.stringify(new URL('../src/index.ts', import.meta.url).href)
    const folder = await mkdtemp(join(tmpdir(), 'readme-'))
    try {
      const script = example
        .replace(/'@countersign\/observability'/, front)
        .replace("'./audit.jsonl'", JSON.stringify(join(folder, 'audit.jsonl')))
      const file = join(folder, 'example.mts')
      await writeFile(
        file,
        `${script}\nexport const text = await (await fetch(server.url)).text()\nexport { audit, server }\n`,
      )
      const { audit, server, text } = await import(file)
      expect(text).toContain('countersign_rate_limited_total{limit="account"} 1')
      await audit.close()
      await server.close()
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('names every error code', () => {
    for (const code of observabilityErrorCodes) expect(readme).toContain(`| \`${code}\` |`)
  })

  it('speaks of fields that exist', () => {
    expect(Object.keys(logFields)).not.toContain('consumers')
  })
})
