// One concept a file. A file over 350 lines holds several, unless it says in its first lines why it does not:
// a comment with the words "One file because".

import { readFileSync } from 'node:fs'
import { trackedFiles } from '../git.mjs'

const limit = 350

/** @param {{ root: string }} context */
export function run({ root }) {
  const problems = []
  for (const { path, file } of trackedFiles(root)) {
    if (!/^(packages|apps|tooling)\/.*\.(ts|tsx|mjs|js)$/.test(path) || /(^|\/)test\/|\.test\./.test(path)) continue
    const lines = readFileSync(file, 'utf8').split('\n')
    if (lines.length - 1 <= limit || lines.slice(0, 30).some((line) => line.includes('One file because'))) continue
    problems.push(`${path} has ${lines.length - 1} lines: divide it, or say in its first lines "One file because …"`)
  }
  return problems
}
