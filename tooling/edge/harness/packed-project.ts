import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runWell } from './run.ts'

const packages = fileURLToPath(new URL('../../../packages', import.meta.url))
const consumer = fileURLToPath(new URL('../consumer', import.meta.url))

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
}

/** An empty project that the packed tarballs were installed into, and in `src/` the files of `consumer/`. */
export interface PackedProject {
  readonly folder: string
  /** What the neutral packages are imported by, without what they have for Node alone. */
  readonly entries: readonly string[]
  remove(): void
}

/**
 * Packs every neutral package as it would be published and, since nothing may be fetched here, the installed copy of
 * each package that they depend on; then lets npm install the tarballs, offline, with a cache of its own.
 */
export async function installPacked(): Promise<PackedProject> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-edge-')))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const neutral = readdirSync(packages)
      .map((name) => join(packages, name))
      .filter(isNeutral)
    const tarballs = join(folder, 'tarballs')
    mkdirSync(tarballs)
    const all = withDependencies(neutral)
    await Promise.all(all.map((one) => runWell('pnpm', ['pack', '--pack-destination', tarballs], one)))

    const dependencies = Object.fromEntries(
      all.map((one) => [manifestOf(one).name, `file:tarballs/${tarballOf(tarballs, manifestOf(one).name)}`]),
    )
    const manifest = { name: 'adopter', private: true, type: 'module', dependencies }
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier']
    await runWell('npm', ['install', '--offline', '--cache', join(folder, 'cache'), ...quiet], folder)
    cpSync(consumer, join(folder, 'src'), { recursive: true })
    return { folder, entries: neutral.flatMap((one) => entriesOf(manifestOf(one))), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The compiler's own word: a package that is compiled without Node's types. */
function isNeutral(folder: string): boolean {
  const settings = join(folder, 'tsconfig.build.json')
  if (!existsSync(settings) || manifestOf(folder).private === true) return false
  const { compilerOptions = {} } = JSON.parse(readFileSync(settings, 'utf8'))
  return JSON.stringify(compilerOptions.types) === '[]'
}

function entriesOf({ name, exports = {} }: Manifest): string[] {
  return Object.entries(exports)
    .filter(([entry]) => !entry.endsWith('.json') && entry !== './testing')
    .filter(([, target]) => !JSON.stringify(target).includes('./dist/node/'))
    .map(([entry]) => `${name}${entry.slice(1)}`)
}

/** The folders themselves and those of all that they depend on, each once. */
function withDependencies(folders: readonly string[]): string[] {
  const all = new Set<string>()
  const add = (folder: string) => {
    if (all.has(folder)) return
    all.add(folder)
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) add(installedCopy(folder, name))
  }
  for (const folder of folders) add(realpathSync(folder))
  return [...all]
}

function installedCopy(from: string, name: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const copy = join(folder, 'node_modules', name)
    if (existsSync(copy)) return realpathSync(copy)
  }
  throw new Error(`${name} is not installed for ${from}`)
}

function tarballOf(tarballs: string, name: string): string {
  const start = `${name.replace('@', '').replace('/', '-')}-`
  const [file] = readdirSync(tarballs).filter((one) => one.startsWith(start) && /\d/.test(one[start.length] ?? ''))
  if (file === undefined) throw new Error(`${name} was not packed`)
  return file
}
