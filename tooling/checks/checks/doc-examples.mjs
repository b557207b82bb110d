// An example that does not compile costs the reader who trusts it an hour, and nobody else notices. Every TypeScript
// block of README.md and docs/ is compiled against the built packages; the blocks of a page are one module, in order.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trackedFiles } from '../git.mjs'
import { linesOf, runTool } from '../tool.mjs'
import { workspacesOf } from '../tree.mjs'

/** What examples may leave out: where their token comes from. */
const given = 'declare const token: string\n'

/** @param {{ root: string, pages?: readonly { path: string, text: string }[] }} context */
export async function run({ root, pages = pagesOf(root) }) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-examples-'))
  try {
    linkPackages(root, join(folder, 'node_modules'))
    const base = JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8'))
    const compilerOptions = { ...base.compilerOptions, noEmit: true, isolatedDeclarations: false, types: ['node'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    for (const { path, text } of pages) {
      const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code)
      if (blocks.length === 0) continue
      writeFileSync(join(folder, `${path.replaceAll('/', '.')}.ts`), `${blocks.join('\n')}\nexport {}\n${given}`)
    }
    const { status, output } = await runTool(root, 'typescript', 'tsc', ['-p', folder, '--pretty', 'false'])
    return status === 0 ? [] : linesOf(output).map((line) => line.replace(/^.*?countersign-examples-[^/\\]*[/\\]/, ''))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** @param {string} root */
function pagesOf(root) {
  return trackedFiles(root)
    .filter(({ path }) => path === 'README.md' || /^docs\/.*\.md$/.test(path))
    .map(({ path, file }) => ({ path, text: readFileSync(file, 'utf8') }))
}

/** Our packages, and what a reader would have installed beside them. @param {string} root @param {string} target */
function linkPackages(root, target) {
  mkdirSync(join(target, '@countersign'), { recursive: true })
  mkdirSync(join(target, '@types'))
  for (const { name, folder } of workspacesOf(root, ['packages']))
    symlinkSync(folder, join(target, '@countersign', name))
  const beside = join(root, 'packages/express/node_modules')
  symlinkSync(join(beside, 'express'), join(target, 'express'))
  for (const name of readdirSync(join(beside, '@types')))
    symlinkSync(join(beside, '@types', name), join(target, '@types', name))
  symlinkSync(join(root, 'node_modules/@types/node'), join(target, '@types/node'))
  const mcp = join(root, 'packages/mcp/node_modules')
  for (const name of ['@modelcontextprotocol', 'zod']) symlinkSync(join(mcp, name), join(target, name))
}
