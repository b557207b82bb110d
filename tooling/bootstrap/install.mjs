// The frozen install, skipped when nothing that it depends on has changed.

import { existsSync } from 'node:fs'
import { runQuietly } from './command.mjs'
import { digestOfManifests, readStamp, writeStamp } from './stamp.mjs'
import { inRoot, pinnedPnpm, root, toolEnvironment } from './workspace.mjs'

/**
 * @param {string} pnpm
 * @param {import('./progress.mjs').Say} say
 */
export async function installPackages(pnpm, say) {
  const digest = digestOfManifests()
  const version = pinnedPnpm()
  if (readStamp().installed === digest && existsSync(inRoot('node_modules/.modules.yaml'))) return
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
  writeStamp({ installed: digest, pnpm: { version, path: pnpm } })
}
