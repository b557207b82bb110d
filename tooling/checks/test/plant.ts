import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const root: string = fileURLToPath(new URL('../../..', import.meta.url))

/** A tiny tree in a folder of its own, gone when the test ends. A package without a manifest gets one. */
export function plant(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-check-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const manifests: Record<string, string> = {}
  for (const path of Object.keys(files)) {
    const [room, name] = path.split('/')
    if (room === 'packages') manifests[`packages/${name}/package.json`] = `{ "name": "@countersign/${name}" }`
    if (room === 'apps')
      manifests[`apps/${name}/package.json`] = `{ "name": "@countersign-apps/${name}", "private": true }`
  }
  for (const [path, text] of Object.entries({ ...manifests, ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** The same, as a repository whose files are new in it. */
export function plantRepository(files: Readonly<Record<string, string>>): string {
  const folder = plant(files)
  execFileSync('git', ['init', '-q'], { cwd: folder })
  return folder
}
