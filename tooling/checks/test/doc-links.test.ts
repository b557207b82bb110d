import { expect, it } from 'vitest'
import { run } from '../checks/doc-links.mjs'
import { plantRepository } from './plant.ts'

const pages = {
  'docs/other.md': '# Other page\n\n## Not held, yet\n\n```sh\n# no heading\n```\n',
  'docs/folder/README.md': '# Folder\n',
}

it('lets links through that lead somewhere', () => {
  const text = [
    '[a](other.md) [b](other.md#not-held-yet) [c](folder) [d](https://example.com/absent) [e](#here)',
    '`[code](absent.md)`\n\n```md\n[code](absent.md)\n```\n\n## Here\n',
  ]
  expect(run({ root: plantRepository({ ...pages, 'docs/page.md': text.join('\n') }) })).toEqual([])
})

it.each([
  ['a page that is not there', '[a](absent.md)', 'links to absent.md, which is not there'],
  ['a heading that is not there', '[a](other.md#later)', 'links to other.md#later: there is no such heading'],
  ['a comment in a code block', '[a](other.md#no-heading)', 'there is no such heading'],
  ['an anchor of its own that is not there', '[a](#nowhere)', 'there is no such heading'],
])('finds a link to %s', (_what, text, words) => {
  expect(run({ root: plantRepository({ ...pages, 'docs/page.md': text }) })).toEqual([expect.stringContaining(words)])
})
