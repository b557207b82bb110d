// A package without a README is a page without a word on the registry, and an app without one is a riddle.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { workspacesOf } from '../tree.mjs'

/** @param {{ root: string }} context */
export function run({ root }) {
  return workspacesOf(root).flatMap(({ path, folder, manifest }) => {
    const file = join(folder, 'README.md')
    if (!existsSync(file)) return [`${path} has no README.md`]
    const text = readFileSync(file, 'utf8')
    if (!text.startsWith('# ')) return [`${path}/README.md does not start with a heading`]
    const isPublic = manifest.private !== true
    return isPublic && !text.includes(manifest.name) ? [`${path}/README.md never names ${manifest.name}`] : []
  })
}
