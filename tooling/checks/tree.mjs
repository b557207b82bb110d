// What checks read of a tree: the packages and apps in it, their sources, and what each source imports.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { parseSync } from 'oxc-parser'

/**
 * @typedef {object} Workspace
 * @property {'packages' | 'apps' | 'tooling'} room
 * @property {string} name the folder's name
 * @property {string} path from the root
 * @property {string} folder
 * @property {any} manifest
 */

/**
 * @param {string} root
 * @param {readonly Workspace['room'][]} [rooms]
 * @returns {Workspace[]}
 */
export function workspacesOf(root, rooms = ['packages', 'apps']) {
  return rooms.flatMap((room) => {
    if (!existsSync(join(root, room))) return []
    return readdirSync(join(root, room))
      .sort()
      .filter((name) => existsSync(join(root, room, name, 'package.json')))
      .map((name) => {
        const folder = join(root, room, name)
        const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
        return { room, name, path: `${room}/${name}`, folder, manifest }
      })
  })
}

/**
 * Every file below a folder whose name ends so, in order.
 * @param {string} folder
 * @param {RegExp} ending
 * @returns {string[]}
 */
export function filesBelow(folder, ending) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => ending.test(path) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(path))
    .sort()
    .map((path) => join(folder, path))
}

/**
 * The path in a message: from the root, with slashes.
 * @param {string} root
 * @param {string} file
 */
export const shown = (root, file) => relative(root, file).split(sep).join('/')

/**
 * @typedef {object} Import
 * @property {string} from the specifier
 * @property {boolean} typeOnly it leaves no trace in the JavaScript
 */

/**
 * All that a module imports or re-exports: statically, dynamically, and in types.
 * @param {string} file
 * @param {string} [text]
 * @returns {Import[]}
 */
export function importsOf(file, text = readFileSync(file, 'utf8')) {
  const { module, program } = parseSync(file, text)
  /** @type {Import[]} */
  const found = []
  for (const { moduleRequest, entries, start, end } of module.staticImports) {
    const typeOnly =
      /^import\s+type\b/.test(text.slice(start, end)) || (entries.length > 0 && entries.every((e) => e.isType))
    found.push({ from: moduleRequest.value, typeOnly })
  }
  for (const { entries } of module.staticExports) {
    for (const entry of entries) {
      if (entry.moduleRequest) found.push({ from: entry.moduleRequest.value, typeOnly: entry.isType })
    }
  }
  walk(program, (node) => {
    const argument = node.type === 'ImportExpression' || node.type === 'TSImportType' ? node.source : undefined
    if (argument !== undefined) found.push({ from: String(argument.value), typeOnly: node.type === 'TSImportType' })
  })
  return found
}

/**
 * Calls back for every node of a syntax tree, with the node that holds it.
 * @param {any} node
 * @param {(node: any, parent: any) => void} visit
 * @param {any} [parent]
 */
export function walk(node, visit, parent) {
  if (node === null || typeof node !== 'object') return
  if (Array.isArray(node)) {
    for (const one of node) walk(one, visit, parent)
    return
  }
  if (typeof node.type !== 'string') return
  visit(node, parent)
  for (const key of Object.keys(node)) walk(node[key], visit, node)
}
