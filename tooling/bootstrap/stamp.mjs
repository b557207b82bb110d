// What the last install was made from, so that a warm run skips it.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inRoot, readJson, root } from './workspace.mjs'

const rooms = ['packages', 'apps', 'tooling']

/**
 * @typedef {object} Stamp
 * @property {string} [installed] the digest that the last install was made from
 * @property {string[]} [folders] every `node_modules` that it made
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
  for (const path of workspaceFolders(folder)) files.push(`${path}/package.json`)
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  for (const path of files) {
    const full = join(folder, path)
    if (existsSync(full)) hash.update(`${path}\n`).update(readFileSync(full))
  }
  return hash.digest('hex')
}

/**
 * The folders that an install reaches, from the root.
 * @param {string} [folder]
 */
export function workspaceFolders(folder = root) {
  return rooms
    .filter((room) => existsSync(join(folder, room)))
    .flatMap((room) =>
      readdirSync(join(folder, room))
        .sort()
        .map((name) => `${room}/${name}`),
    )
}
