// Neutral packages run in browsers, edge workers and the Convex isolate: one Node API in them and an adopter's bundle
// breaks. Three looks: the compiler's settings that make `node:` unknown, the sources (all of zod is too much as well), and
// what a bundler for the browser pulls in from the built entry points.

import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { rolldown } from 'rolldown'
import { filesBelow, importsOf, shown, walk, workspacesOf } from '../tree.mjs'

const neutral = ['tokens', 'revocation', 'guard', 'consumers', 'token-source', 'cutover', 'websocket']
/**
 * Neutral by subpath: the settings that compile that part, and the folders that are for Node.
 * @type {Readonly<Record<string, { settings: string, folders: readonly string[] }>>}
 */
const partly = { 'clerk-convex': { settings: 'tsconfig.isolate.json', folders: ['node', 'testing'] } }
const wholly = { settings: 'tsconfig.build.json', folders: ['node'] }
const nodeGlobals = new Set(['Buffer', 'process', 'global', 'require', '__dirname', '__filename', 'setImmediate'])
const builtins = new Set(builtinModules)

/** @param {{ root: string }} context */
export async function run({ root }) {
  const problems = []
  for (const one of workspacesOf(root, ['packages'])) {
    if (!neutral.includes(one.name) && partly[one.name] === undefined) continue
    problems.push(...settingsFaults(root, one), ...sourceFaults(root, one), ...(await bundleFaults(one)))
  }
  return problems
}

/** @param {string} id */
const isBuiltin = (id) => id.startsWith('node:') || builtins.has(id)

/**
 * @param {string} root
 * @param {import('../tree.mjs').Workspace} one
 */
function settingsFaults(root, { name, folder }) {
  const { settings, folders } = partly[name] ?? wholly
  const file = join(folder, settings)
  const { compilerOptions = {}, exclude = [] } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const faults = []
  if (JSON.stringify(compilerOptions.types) !== '[]') faults.push('"types" must be []')
  if (!Array.isArray(compilerOptions.lib)) faults.push('"lib" must name what a worker has')
  for (const path of folders.map((one) => `src/${one}`)) {
    if (existsSync(join(folder, path)) && !exclude.includes(path)) faults.push(`"exclude" must name ${path}`)
  }
  return faults.map((fault) => `${shown(root, file)}: ${fault}, so that a Node API does not compile`)
}

/**
 * @param {string} root
 * @param {import('../tree.mjs').Workspace} one
 */
function sourceFaults(root, { name, folder }) {
  /** @type {Set<string>} */
  const faults = new Set()
  const node = (partly[name] ?? wholly).folders.map((one) => join(folder, 'src', one, '/'))
  for (const file of filesBelow(join(folder, 'src'), /\.tsx?$/)) {
    if (node.some((one) => file.startsWith(one))) continue
    for (const { from } of importsOf(file)) {
      if (isBuiltin(from)) faults.add(`${shown(root, file)} imports ${from}`)
    }
    const source = readFileSync(file, 'utf8')
    // zod's own member `z` is an object of everything, its fifty languages too: 350 kB of a worker that checks options.
    if (/^import \{[^}]*\bz\b[^}]*\} from 'zod'/m.test(source)) {
      faults.add(`${shown(root, file)} bundles all of zod: \`import * as z from 'zod'\` takes what is used`)
    }
    const { program } = parseSync(file, source)
    walk(program, (identifier, parent) => {
      if (identifier.type !== 'Identifier' || !nodeGlobals.has(identifier.name)) return
      // `x.process` and `{ process: 1 }` name a member, not the global.
      if (parent?.type === 'MemberExpression' && parent.property === identifier && !parent.computed) return
      if (/Property|Signature|Method/.test(parent?.type ?? '') && parent.key === identifier && !parent.shorthand) return
      faults.add(`${shown(root, file)} uses ${identifier.name}`)
    })
  }
  return [...faults]
}

/** @param {import('../tree.mjs').Workspace} one */
async function bundleFaults({ name, folder, path, manifest }) {
  const node = (partly[name] ?? wholly).folders.map((one) => `./dist/${one}/`)
  const faults = []
  for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
    const file = typeof target === 'object' && target !== null ? target.default : undefined
    // What is built from src/node/ is for Node, and says so by its place.
    if (typeof file !== 'string' || node.some((one) => file.startsWith(one))) continue
    const input = join(folder, file)
    if (!existsSync(input)) {
      faults.push(`${path}: ${file} is not built`)
      continue
    }
    /** @type {Set<string>} */
    const pulled = new Set()
    const bundle = await rolldown({
      input,
      platform: 'browser',
      onLog() {},
      plugins: [
        {
          name: 'node-builtins',
          resolveId(source, importer) {
            if (!isBuiltin(source)) return null
            pulled.add(`${source} (from ${importer === undefined ? input : importer.replace(/^.*node_modules\//, '')})`)
            return { id: source, external: true }
          },
        },
      ],
    })
    await bundle.generate({ format: 'esm' })
    await bundle.close()
    for (const id of pulled) faults.push(`${manifest.name}${entry.slice(1)} pulls ${id} into a browser's bundle`)
  }
  return faults
}
