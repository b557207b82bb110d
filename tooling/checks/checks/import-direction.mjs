// Packages import one way only. An arrow against the direction makes a cycle sooner or later, drags a database into
// a browser, or makes a package that people adopt alone bring the whole house.
// The arrows are those of docs/explanation/architecture.md.

import { join } from 'node:path'
import { filesBelow, importsOf, shown, workspacesOf } from '../tree.mjs'

/**
 * Package → what its sources may import; `(types)` after a name: in types only.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const arrows = {
  tokens: [],
  sealing: [],
  revocation: ['tokens'],
  consumers: ['tokens'],
  'token-source': ['tokens'],
  cutover: ['tokens'],
  guard: ['tokens', 'revocation'],
  express: ['guard', 'tokens (types)'],
  websocket: ['guard', 'tokens (types)'],
  mcp: ['guard', 'tokens (types)'],
  keys: ['tokens', 'sealing'],
  credentials: ['sealing'],
  issuer: ['tokens', 'keys', 'consumers', 'revocation'],
  'clerk-convex': ['tokens', 'cutover'],
  storage: ['keys (types)', 'issuer (types)', 'credentials (types)', 'revocation (types)', 'cutover (types)'],
  observability: ['* (types)'],
  server: [
    ...[
      'tokens',
      'sealing',
      'revocation',
      'consumers',
      'token-source',
      'cutover',
      'guard',
      'express',
      'websocket',
      'mcp',
    ],
    ...['keys', 'credentials', 'issuer', 'clerk-convex', 'storage', 'observability'],
  ],
  embedded: [
    ...['server', 'guard', 'express', 'websocket', 'credentials', 'sealing', 'tokens', 'issuer'],
    'observability (types)',
  ],
  testkit: ['*'],
  cli: ['*'],
}

/** @param {{ root: string }} context */
export function run({ root }) {
  const problems = []
  for (const { room, name, folder, path } of workspacesOf(root)) {
    const allowed = room === 'apps' ? ['*'] : arrows[name]
    if (allowed === undefined) {
      problems.push(`${path} is not in the table of arrows: add it to tooling/checks/checks/import-direction.mjs`)
      continue
    }
    for (const file of filesBelow(join(folder, 'src'), /\.[mc]?tsx?$/)) {
      for (const { from, typeOnly } of importsOf(file)) {
        const fault = faultOf({ name, room, folder, file, from, typeOnly, allowed })
        if (fault !== undefined) problems.push(`${shown(root, file)} imports ${from}: ${fault}`)
      }
    }
  }
  return problems
}

/**
 * @param {{ name: string, room: string, folder: string, file: string, from: string, typeOnly: boolean, allowed: readonly string[] }} arrow
 */
function faultOf({ name, room, folder, file, from, typeOnly, allowed }) {
  if (from.startsWith('.')) {
    const target = join(file, '..', from)
    return target.startsWith(join(folder, 'src')) ? undefined : "it leaves the package's own sources"
  }
  if (from.startsWith('@countersign-apps/')) {
    return room === 'apps' ? undefined : 'packages know no app'
  }
  if (!from.startsWith('@countersign/')) return undefined
  const target = from.split('/')[1] ?? ''
  if (target === name && room === 'packages') return 'a package reaches its own files by relative paths'
  if (allowed.includes('*') || allowed.includes(target)) return undefined
  if (allowed.includes('* (types)') || allowed.includes(`${target} (types)`)) {
    return typeOnly ? undefined : `${name} may import types of ${target} only`
  }
  return `no arrow leads from ${name} to ${target}`
}
