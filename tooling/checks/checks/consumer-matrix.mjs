// The consumer matrix that people read must be the one that the services run by: docs/security/jwt-consumer-matrix.md
// is written by `countersign consumers matrix`, and a stale one would approve scopes that no longer exist.

import { join } from 'node:path'
import { linesOf, runProgram } from '../tool.mjs'

/** @param {{ root: string, page?: string }} context */
export async function run({ root, page }) {
  const { status, output } = await matrixCommand(root, '--check', page)
  return status === 0 ? [] : [...linesOf(output, 10), '`npm run docs` writes it anew']
}

/**
 * @param {string} root
 * @param {'--check' | '--write'} mode
 * @param {string} [page]
 */
export function matrixCommand(root, mode, page = 'docs/security/jwt-consumer-matrix.md') {
  const cli = join(root, 'packages/cli/dist/main.js')
  const consumers = ['--consumers', 'apps/token-service/src/consumers.ts']
  return runProgram(process.execPath, [cli, 'consumers', 'matrix', ...consumers, mode, page], root)
}
