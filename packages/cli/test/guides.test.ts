import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { run } from './run.ts'

const pages = ['sign-in-on-the-command-line', 'keep-secrets', 'move-off-fernet', 'change-the-key-encryption-key']

/** Calls of the program in a page's shell blocks, up to a pipe, a redirection or the end of a substitution. */
async function callsOf(page: string): Promise<string[][]> {
  const text = await readFile(new URL(`../../../docs/how-to/${page}.md`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gmu)].map(([, block = '']) => block)
  return blocks.flatMap((block) =>
    [...block.matchAll(/\bcountersign ([^|)<>\n]+)/gu)].map(([, words = '']) => words.trim().split(/\s+/u)),
  )
}

describe.each(pages)('the guide %s', (page) => {
  it('calls commands that there are, with options that they have', async () => {
    const calls = await callsOf(page)
    expect(calls.length).toBeGreaterThan(0)
    for (const words of calls) {
      const path = words[0] === 'completion' ? ['completion'] : words.slice(0, 2)
      const { exitCode, stdout } = await run([...path, '--help'])
      expect([words, exitCode]).toEqual([words, 0])
      expect(stdout).toContain(`Usage: countersign ${path.join(' ')}`)
      for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option)
    }
  })
})

describe('the guide to signing in', () => {
  it('names every folder and every code', async () => {
    const text = await readFile(new URL('../../../docs/how-to/sign-in-on-the-command-line.md', import.meta.url), 'utf8')
    for (const code of ['session_ended', 'store_damaged', 'file_unsafe', 'busy', 'throttled']) {
      expect(text).toContain(`\`${code}\``)
    }
  })
})
