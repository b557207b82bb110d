// One style and one set of rules everywhere: a finding that is let through today hides the next one tomorrow.

import { linesOf, runTool } from '../tool.mjs'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const { status, output } = await runTool(root, '@biomejs/biome', 'biome', ['check', '--colors=off', '.'])
  return status === 0 ? [] : linesOf(output)
}
