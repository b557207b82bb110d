// What the last install was made from, so that a warm run skips it.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inRoot, readJson, root } from './workspace.mjs'

const rooms = ['packages', 'apps', 'tooling']

/**
 * @typedef {object} Stamp
 * @property {string} [installed] the digest that the last install was made from
 * @property {{ version: string, path: string }} [pnpm] where it was found
 */

const file = () => inRoot('node_modules/.countersign/bootstrap.json')

/** @returns {Stamp} empty if there is none, or it cannot be read */
export function readStamp() {
  try {
    return readJson(file())
  } catch {
    return {}
  }
}

/** @param {Stamp} stamp */
export function writeStamp(stamp) {
  mkdirSync(dirname(file()), { recursive: true })
  writeFileSync(file(), `${JSON.stringify(stamp, null, 2)}\n`)
}

/**
 * Over the lockfile, every manifest and the platform.
 * @param {string} [folder]
 */
export function digestOfManifests(folder = root) {
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc']
  for (const room of rooms) {
    if (!existsSync(join(folder, room))) continue
    for (const name of readdirSync(join(folder, room)).sort()) files.push(`${room}/${name}/package.json`)
  }
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  for (const path of files) {
    const full = join(folder, path)
    if (existsSync(full)) hash.update(`${path}\n`).update(readFileSync(full))
  }
  return hash.digest('hex')
}
