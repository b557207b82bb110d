// A figure that a page remembers and the record has not is an advertisement: the tables are the recorded results.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchPage, renderBenchPage } from '../bench-page.mjs'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const file = join(root, benchPage)
  if (!existsSync(file)) return []
  const page = readFileSync(file, 'utf8')
  return page === renderBenchPage(root, page)
    ? []
    : [`${benchPage} is not what was recorded (\`npm run docs\` writes it anew)`]
}
