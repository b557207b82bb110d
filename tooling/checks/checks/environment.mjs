// A package that reads the environment behind its caller's back cannot be tested, embedded twice or audited:
// configuration comes in as arguments. Only the command line, the embedded module and the apps' own set-up may look.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { filesBelow, shown, walk, workspacesOf } from '../tree.mjs'

const packages = new Set(['cli', 'embedded'])
const appFiles = /\/src\/(config|environment|(?:[a-z]+-)?main)\.ts$/

/** @param {{ root: string }} context */
export function run({ root }) {
  const problems = []
  for (const { room, name, folder } of workspacesOf(root)) {
    if (room === 'packages' && packages.has(name)) continue
    for (const file of filesBelow(join(folder, 'src'), /\.[mc]?tsx?$/)) {
      const path = shown(root, file)
      if (room === 'apps' && appFiles.test(path)) continue
      if (readsEnvironment(file)) problems.push(`${path} reads process.env: take it as an argument`)
    }
  }
  return problems
}

/** @param {string} file */
function readsEnvironment(file) {
  const text = readFileSync(file, 'utf8')
  let found = false
  walk(parseSync(file, text).program, (node) => {
    if (node.type === 'MemberExpression' && node.object.name === 'process') {
      found ||= (node.property.name ?? node.property.value) === 'env'
    }
    if (node.type === 'ImportSpecifier' && node.imported.name === 'env') found = true
  })
  return found
}
