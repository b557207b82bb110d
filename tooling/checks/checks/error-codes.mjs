// Every error code is documented: a code without a heading in docs/reference/errors.md sends an operator to a page
// that isn't there, and a remedy that differs from the code's own tells two stories.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { collectErrors, faultsOfPage } from '../errors-page.mjs'
import { filesBelow, shown, workspacesOf } from '../tree.mjs'

const page = 'docs/reference/errors.md'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const { lists, problems } = await collectErrors(root)
  const file = join(root, page)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const faults = faultsOfPage(text, lists).map((fault) => `${page}: ${fault}`)
  if (faults.length > 0) faults.push('`npm run docs` writes the page anew')
  return [...problems, ...hiddenLists(root, lists), ...faults]
}

/**
 * Lists in the sources that no entry point hands out, so that nobody can document them or test against them.
 * @param {string} root
 * @param {readonly import('../errors-page.mjs').ErrorList[]} lists
 */
function hiddenLists(root, lists) {
  const problems = []
  for (const { folder, manifest } of workspacesOf(root, ['packages'])) {
    for (const file of filesBelow(join(folder, 'src'), /\.ts$/)) {
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/^export const (rejectionCodes|\w*ErrorCodes)\b/gm)) {
        if (lists.some((list) => list.package === manifest.name && list.name === name)) continue
        problems.push(`${shown(root, file)}: ${name} is exported by no entry point of ${manifest.name}`)
      }
    }
  }
  return problems
}
