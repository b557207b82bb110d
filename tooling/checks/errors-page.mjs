// docs/reference/errors.md: made from the packages' own lists of codes and remedies, with room for prose.
// Under each code's heading the first paragraph is the remedy; what people write below it is kept.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { workspacesOf } from './tree.mjs'

/**
 * @typedef {object} ErrorList
 * @property {string} package
 * @property {string} name of the exported array
 * @property {Readonly<Record<string, string>>} remedies by code, in the array's order
 */

const isCodes = (/** @type {string} */ name) => /(^c|C)odes$/.test(name)

/**
 * The lists that the built packages export.
 * @param {string} root
 * @returns {Promise<{ lists: ErrorList[], problems: string[] }>}
 */
export async function collectErrors(root) {
  const lists = []
  const problems = []
  for (const { folder, path, manifest } of workspacesOf(root, ['packages'])) {
    const entries = new Set(['./dist/index.js'])
    for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
      // A conformance suite runs inside a test runner only.
      if (target.default !== undefined && entry !== './testing') entries.add(target.default)
    }
    /** @type {Map<string, unknown>} */
    const exported = new Map()
    for (const entry of entries) {
      const file = join(folder, entry)
      if (!existsSync(file)) {
        if (manifest.exports?.['.'] || entry !== './dist/index.js') problems.push(`${path}: ${entry} is not built`)
        continue
      }
      for (const [name, value] of Object.entries(await import(pathToFileURL(file).href))) exported.set(name, value)
    }
    for (const [name, codes] of exported) {
      if (!isCodes(name) || !Array.isArray(codes)) continue
      const remedies = [...exported.values()].find((value) => isRecordOf(codes, value))
      if (remedies === undefined) problems.push(`${manifest.name} exports ${name}, but no record of remedies beside it`)
      else lists.push({ package: manifest.name, name, remedies: ordered(codes, remedies) })
    }
  }
  return { lists, problems }
}

/**
 * @param {readonly string[]} codes
 * @param {unknown} value
 * @returns {value is Record<string, string>}
 */
function isRecordOf(codes, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const keys = Object.keys(value)
  return keys.length === codes.length && codes.every((code) => Object.hasOwn(value, code))
}

/** @param {readonly string[]} codes @param {Readonly<Record<string, string>>} remedies */
const ordered = (codes, remedies) => Object.fromEntries(codes.map((code) => [code, remedies[code] ?? '']))

/** @param {ErrorList} list */
const headingOf = (list) => `## \`${list.package}\`: \`${list.name}\``

/** @param {string} page the page as it is @param {readonly ErrorList[]} lists @returns {string} the page as it should be */
export function renderErrors(page, lists) {
  const { introduction, prose } = parse(page)
  const sections = lists.map((list) => {
    const codes = Object.entries(list.remedies).map(([code, remedy]) => {
      const kept = prose.get(`${headingOf(list)}\n${code}`)
      return `### \`${code}\`\n\n${remedy}\n${kept ? `\n${kept}\n` : ''}`
    })
    return `${headingOf(list)}\n\n${codes.join('\n')}`
  })
  return `${introduction.trimEnd()}\n\n${sections.join('\n')}`
}

/**
 * What is wrong with the page, in words.
 * @param {string} page
 * @param {readonly ErrorList[]} lists
 */
export function faultsOfPage(page, lists) {
  const { remedies } = parse(page)
  const problems = []
  const known = new Set()
  for (const list of lists) {
    for (const [code, remedy] of Object.entries(list.remedies)) {
      const key = `${headingOf(list)}\n${code}`
      known.add(key)
      const written = remedies.get(key)
      if (written === undefined) problems.push(`${list.package}: \`${code}\` of ${list.name} has no heading`)
      else if (written !== remedy) problems.push(`${list.package}: what is written for \`${code}\` is not its remedy`)
    }
  }
  for (const key of remedies.keys()) {
    if (!known.has(key)) problems.push(`a heading for \`${key.split('\n')[1]}\`, which no package has any more`)
  }
  if (problems.length === 0 && page !== renderErrors(page, lists)) problems.push('its order or its blank lines are off')
  return problems
}

/** @param {string} page */
function parse(page) {
  const [introduction = '', ...sections] = page.split(/^(?=## )/m)
  /** @type {Map<string, string>} */
  const remedies = new Map()
  /** @type {Map<string, string>} */
  const prose = new Map()
  for (const section of sections) {
    const [head = '', ...codes] = section.split(/^(?=### )/m)
    for (const text of codes) {
      const [heading = '', ...rest] = text.split('\n')
      const key = `${head.split('\n')[0]}\n${heading.replace(/^### `|`$/g, '')}`
      const [remedy = '', ...kept] = rest.join('\n').trim().split(/\n\n/)
      remedies.set(key, remedy)
      prose.set(key, kept.join('\n\n').trim())
    }
  }
  return { introduction, remedies, prose }
}
