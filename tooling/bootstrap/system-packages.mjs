// Debian's packages that the tests need: installed when we may, named exactly when we may not.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { runQuietly } from './command.mjs'
import { Failure } from './progress.mjs'
import { readJson, root } from './workspace.mjs'

/**
 * @typedef {object} SystemPackage
 * @property {string} package Debian's name
 * @property {string} command what it is recognised by; an absolute path is looked for nowhere else
 * @property {readonly string[]} [arguments] with these the command must succeed: for what is not a command itself
 * @property {string} why
 */

/** @type {readonly SystemPackage[]} */
const needed = readJson(new URL('debian-packages.json', import.meta.url).pathname)

/** Daemons' tools live outside an ordinary user's PATH. */
const systemFolders = ['/usr/sbin', '/sbin', '/usr/local/sbin']

/**
 * @param {readonly SystemPackage[]} packages
 * @param {string} [path]
 */
export function missingOf(packages, path = process.env.PATH ?? '') {
  const folders = [...path.split(delimiter).filter(Boolean), ...systemFolders]
  return packages.filter((one) => {
    const found = folders.map((folder) => resolve(folder, one.command)).find(isExecutable)
    return found === undefined || (one.arguments !== undefined && spawnSync(found, one.arguments).status !== 0)
  })
}

/**
 * @param {readonly SystemPackage[]} missing
 * @param {{ platform: string, root: boolean, apt: boolean }} machine
 * @returns {Failure | undefined} why they cannot be installed here
 */
export function cannotInstall(missing, machine) {
  const names = missing.map((one) => one.package).join(' ')
  const reasons = missing.map((one) => `    ${one.package}: ${one.why}\n`).join('')
  const message = `The tests need ${names}:`
  if (machine.platform !== 'linux') {
    return new Failure(1, message, 'These exist on Linux only: run the tests there, or in a Debian container.', reasons)
  }
  if (!machine.apt) {
    return new Failure(1, message, `install what this system calls ${names}, then run this again.`, reasons)
  }
  if (!machine.root) {
    const install = `apt-get update && apt-get install -y --no-install-recommends ${names}`
    return new Failure(1, message, `as root: ${install}`, reasons)
  }
  return undefined
}

export async function installSystemPackages() {
  const missing = missingOf(needed)
  if (missing.length === 0) return
  const refusal = cannotInstall(missing, {
    platform: process.platform,
    root: process.getuid?.() === 0,
    apt: isExecutable('/usr/bin/apt-get'),
  })
  if (refusal !== undefined) throw refusal

  const names = missing.map((one) => one.package)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const remedy = `See why apt-get fails, install ${names.join(' ')} by hand, then run this again.`
  await runQuietly('apt-get', ['update'], { what: 'apt-get update', remedy, cwd: root, env })
  const install = ['install', '-y', '--no-install-recommends', ...names]
  await runQuietly('apt-get', install, { what: `apt-get ${install.join(' ')}`, remedy, cwd: root, env })
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
