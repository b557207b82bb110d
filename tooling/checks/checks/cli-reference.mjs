// The reference of the command line is the program's own help: an option that the page has and the program has not
// (or the reverse) costs an operator their trust in both.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { helpOfCli, renderCli } from '../cli-page.mjs'

const page = 'docs/reference/cli.md'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const file = join(root, page)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text === (await renderCli(text, await helpOfCli(root)))
    ? []
    : [`${page} is not what the program says (\`npm run docs\` writes it anew)`]
}
