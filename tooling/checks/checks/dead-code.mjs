// Exports that nobody imports, files that nothing reaches and dependencies that nothing uses are read, updated and
// trusted for nothing.

import { linesOf, runTool } from '../tool.mjs'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const { status, output } = await runTool(root, 'knip', 'knip', ['--no-progress'])
  return status === 0 ? [] : linesOf(output)
}
