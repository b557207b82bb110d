// The frozen install, skipped when nothing that it depends on has changed.

import { existsSync } from 'node:fs'
import { runQuietly } from './command.mjs'
import { digestOfManifests, readStamp, workspaceFolders, writeStamp } from './stamp.mjs'
import { inRoot, pinnedPnpm, root, toolEnvironment } from './workspace.mjs'

/**
 * @param {string} pnpm
 * @param {import('./progress.mjs').Say} say
 */
export async function installPackages(pnpm, say) {
  const digest = digestOfManifests()
  const found = { version: pinnedPnpm(), path: pnpm }
  const last = readStamp()
  const whole = last.installed === digest && last.folders?.every((folder) => existsSync(inRoot(folder)))
  if (whole) {
    if (last.pnpm?.path !== pnpm) writeStamp({ ...last, pnpm: found })
    return
  }
  await runQuietly(pnpm, ['install', '--frozen-lockfile', '--reporter=append-only'], {
    what: 'pnpm install',
    remedy:
      'If a download failed, run this again. If the lockfile is out of date, run `pnpm install` and commit pnpm-lock.yaml.',
    cwd: root,
    // Without a terminal pnpm would stop to ask before it replaces node_modules.
    env: { ...toolEnvironment(pnpm), CI: 'true' },
    say,
    shell: pnpm.endsWith('.cmd'),
  })
  const folders = ['.', ...workspaceFolders()].map((folder) => `${folder}/node_modules`)
  writeStamp({ installed: digest, folders: folders.filter((folder) => existsSync(inRoot(folder))), pnpm: found })
}
