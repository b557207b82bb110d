// What adopters get is the tarball, not the repository: an entry point that points nowhere, types that resolve to
// nothing or a `workspace:` range shows only there. So every public package is packed as it would be published,
// held against publint (strict) and attw, laid beside the others, and each of its entry points imported.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { linesOf, runProgram, runTool } from '../tool.mjs'
import { filesBelow, workspacesOf } from '../tree.mjs'

/** @param {{ root: string }} context */
export async function run({ root }) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-packed-'))
  try {
    const packages = workspacesOf(root, ['packages']).filter(({ manifest }) => manifest.private !== true)
    /** @type {string[]} */
    const problems = []
    const queue = [...packages]
    const work = async () => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        problems.push(...(await faultsOfPackage(root, folder, one)))
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, work))
    if (problems.length === 0) problems.push(...(await importFaults(folder, packages)))
    return problems.sort()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Packs it, looks at the tarball, and lays it out as an installation would.
 * @param {string} root
 * @param {string} folder
 * @param {import('../tree.mjs').Workspace} one
 */
async function faultsOfPackage(root, folder, one) {
  const name = String(one.manifest.name)
  const { status, output, stdout } = await runProgram(
    'pnpm',
    ['pack', '--json', '--pack-destination', folder],
    one.folder,
  )
  if (status !== 0) return [`${name}: pnpm pack failed`, ...linesOf(output, 10)]
  const { filename } = JSON.parse(stdout)
  const tarball = join(folder, filename.split(/[\\/]/).at(-1))

  const home = join(folder, 'node_modules', name)
  mkdirSync(home, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', home])
  linkDependencies(one.folder, home)

  return [
    ...layoutFaults(name, home),
    ...orphanFaults(name, home, one.folder),
    ...(await publintFaults(name, home, tarball)),
    ...(await attwFaults(root, name, tarball, one.manifest)),
  ]
}

/** Third-party packages as the workspace has them; ours come from their own tarballs. @param {string} from @param {string} home */
function linkDependencies(from, home) {
  const installed = join(from, 'node_modules')
  if (!existsSync(installed)) return
  const names = readdirSync(installed).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(installed, name)).map((inner) => `${name}/${inner}`) : [name],
  )
  for (const name of names) {
    if (name.startsWith('.') || name.startsWith('@countersign/')) continue
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true })
    symlinkSync(join(installed, name), join(home, 'node_modules', name))
  }
}

/** @param {string} name @param {string} home where the tarball was laid out */
export function layoutFaults(name, home) {
  const text = readFileSync(join(home, 'package.json'), 'utf8')
  const faults = []
  if (text.includes('"workspace:')) faults.push(`${name}: a workspace: range is left in the packed manifest`)
  for (const file of ['README.md', 'LICENSE']) {
    if (!existsSync(join(home, file))) faults.push(`${name}: ${file} is not in the tarball`)
  }
  return faults
}

/**
 * A compiler deletes nothing: what it once wrote for a source that is gone would be published for ever.
 * @param {string} name @param {string} home @param {string} folder with the sources
 */
export function orphanFaults(name, home, folder) {
  const built = filesBelow(join(home, 'dist'), /\.js$/)
  return built.flatMap((file) => {
    const path = relative(join(home, 'dist'), file)
    const source = join(folder, 'src', path.slice(0, -'.js'.length))
    if (existsSync(`${source}.ts`) || existsSync(`${source}.tsx`)) return []
    return [`${name}: dist/${path} was built from a source that is gone; remove dist and build again`]
  })
}

/** @param {string} name @param {string} home @param {string} tarball */
async function publintFaults(name, home, tarball) {
  const { buffer, byteOffset, byteLength } = readFileSync(tarball)
  const data = buffer.slice(byteOffset, byteOffset + byteLength)
  const { messages } = await publint({ strict: true, pack: { tarball: /** @type {ArrayBuffer} */ (data) } })
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  return messages.map((message) => `${name}: publint: ${formatMessage(message, manifest, { color: false })}`)
}

/** @param {string} root @param {string} name @param {string} tarball @param {any} manifest */
async function attwFaults(root, name, tarball, manifest) {
  // A package that is only a command has no types to resolve.
  if (Object.keys(manifest.exports ?? {}).every((entry) => entry === './package.json')) return []
  const args = [
    tarball,
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--no-emoji',
    '--no-color',
    '--format',
    'ascii',
  ]
  const { status, output } = await runTool(root, '@arethetypeswrong/cli', 'attw', args)
  return status === 0 ? [] : [`${name}: attw:`, ...linesOf(output, 20)]
}

/** @param {string} folder @param {readonly import('../tree.mjs').Workspace[]} packages */
async function importFaults(folder, packages) {
  const entries = packages.flatMap(({ manifest }) =>
    Object.keys(manifest.exports ?? {})
      // JSON is no module, and a conformance suite runs inside a test runner only.
      .filter((entry) => !entry.endsWith('.json') && entry !== './testing')
      .map((entry) => `${manifest.name}${entry.slice(1)}`),
  )
  const script = `
    for (const entry of ${JSON.stringify(entries)}) {
      try {
        if (Object.keys(await import(entry)).length === 0) console.log(entry + ' exports nothing')
      } catch (error) {
        console.log(entry + ' cannot be imported: ' + error.message)
      }
    }`
  const { output } = await runProgram(process.execPath, ['--input-type=module', '-e', script], folder)
  return linesOf(output)
}
