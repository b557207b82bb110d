// The files of a tree that belong to it: tracked, or new and not ignored.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param {string} root
 * @returns {{ path: string, file: string }[]} path from the root, and the whole path
 */
export function trackedFiles(root) {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const out = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const paths = [...new Set(out.split('\0').filter(Boolean))].sort()
  return paths.map((path) => ({ path, file: join(root, path) })).filter(({ file }) => existsSync(file))
}
