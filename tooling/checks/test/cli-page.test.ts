import { describe, expect, it } from 'vitest'
import { renderCli } from '../cli-page.mjs'

const helps: Record<string, string> = {
  '': 'Usage: countersign\n\nCommands:\n  init [dir]  begins\n  keys        the keys\n\nExamples:\n  countersign init\n',
  init: 'Usage: countersign init [dir]\n\nOptions:\n  -h  help\n\nGlobal Options:\n  --json\n  --quiet\n\nExamples:\n  a\n',
  keys: 'Usage: countersign keys\n\nCommands:\n  list    all keys\n  rotate  the next key\n  help [command]  display help\n',
  'keys list': 'Usage: countersign keys list\n',
  'keys rotate': 'Usage: countersign keys rotate\n',
}
const help = async (words: readonly string[]) => helps[words.join(' ')] ?? ''

const page = `# Command line

By hand.

## \`countersign init\`

\`\`\`text
Usage: countersign init [dir]

Options:
  -h  help

Examples:
  a
\`\`\`

## \`countersign keys list\`

\`\`\`text
Usage: countersign keys list
\`\`\`

## \`countersign keys rotate\`

\`\`\`text
Usage: countersign keys rotate
\`\`\`
`

describe('the page of the command line', () => {
  it("is what is written by hand, then every command's help without the options that all share", async () => {
    await expect(renderCli('# Command line\n\nBy hand.\n', help)).resolves.toBe(page)
  })

  it('is stale once the program says something else', async () => {
    await expect(renderCli(page, help)).resolves.toBe(page)
    const grown = async (words: readonly string[]) =>
      words.join(' ') === 'keys list' ? 'Usage: countersign keys list [--all]\n' : help(words)
    await expect(renderCli(page, grown)).resolves.not.toBe(page)
  })
})

it('shows a command that does something by itself and has commands below it', async () => {
  const own: Record<string, string> = {
    '': 'Usage: countersign\n\nCommands:\n  doctor  looks\n',
    doctor: 'Usage: countersign doctor [options]\n\nCommands:\n  clerk   looks there\n',
    'doctor clerk': 'Usage: countersign doctor clerk [options]\n',
  }
  const text = await renderCli('# Command line\n', async (words) => own[words.join(' ')] ?? '')
  expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
    '`countersign doctor`',
    '`countersign doctor clerk`',
  ])
})
