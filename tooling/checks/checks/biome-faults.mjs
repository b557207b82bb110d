// Two of the linter's rules that we lean on are young ("nursery"): an upgrade may rename them or let them fall silent,
// and a rule that says nothing looks like clean code. So faults are planted, and the linter must find each.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../tool.mjs'

/** @type {Readonly<Record<string, readonly [file: string, text: string][]>>} */
const faults = {
  'suspicious/noImportCycles': [
    ['cycle-a.ts', "import { b } from './cycle-b.ts'\n\nexport const a = (): number => b() + 1\n"],
    ['cycle-b.ts', "import { a } from './cycle-a.ts'\n\nexport const b = (): number => a() + 1\n"],
  ],
  'nursery/noFloatingPromises': [
    ['floating.ts', 'async function save(): Promise<void> {}\n\nexport function leave(): void {\n  save()\n}\n'],
  ],
  'nursery/noMisusedPromises': [
    [
      'misused.ts',
      "async function allowed(): Promise<boolean> {\n  return false\n}\n\nexport function enter(): string {\n  if (allowed()) return 'in'\n  return 'out'\n}\n",
    ],
  ],
}

/** @param {{ root: string, config?: string }} context */
export async function run({ root, config = readFileSync(join(root, 'biome.json'), 'utf8') }) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-biome-'))
  try {
    const settings = JSON.parse(config)
    // A folder outside git, with nothing ignored.
    settings.vcs = { enabled: false }
    delete settings.$schema
    writeFileSync(join(folder, 'biome.json'), JSON.stringify(settings))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    cpSync(join(root, 'tsconfig.base.json'), join(folder, 'tsconfig.json'))
    for (const files of Object.values(faults)) {
      for (const [name, text] of files) writeFileSync(join(folder, name), text)
    }
    const { output } = await runTool(root, '@biomejs/biome', 'biome', ['lint', '--colors=off', '.'], { cwd: folder })
    return Object.entries(faults).flatMap(([rule, files]) =>
      files.some(([name]) => new RegExp(`${name}\\S* lint/${rule}`).test(output))
        ? []
        : [`the linter no longer finds a planted fault of ${rule}`],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}
