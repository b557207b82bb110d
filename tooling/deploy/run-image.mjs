// Does without a container engine what the Dockerfile says: builds the image's tree in a temporary folder by the very
// same commands, then runs it from there as another user (where this is root), with nothing of it writable.
// usage: node tooling/deploy/run-image.mjs

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environmentOf, stagesOf, wordsOf } from './dockerfile.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'countersign-image-'))
const [build, last] = stagesOf(readFileSync(new URL('Dockerfile', import.meta.url), 'utf8'))
if (build === undefined || last === undefined) throw new Error('The Dockerfile has two stages no more.')

/** Absolute paths of the image, below the folder. @param {string} text */
const placed = (text) => text.replace(/(^|\s)\/(app|src|data)\b/g, (_, before, name) => `${before}${folder}/${name}`)

try {
  buildTree()
  await runTree()
  console.log('the image can be built, and runs')
} finally {
  execFileSync('chmod', ['-R', 'u+w', folder])
  rmSync(folder, { recursive: true })
}

function buildTree() {
  let workdir = folder
  const env = { ...process.env, ...environmentOf(/** @type {any} */ (build)) }
  for (const { name, text } of build?.instructions ?? []) {
    if (name === 'WORKDIR') {
      workdir = placed(text)
      mkdirSync(workdir, { recursive: true })
    } else if (name === 'COPY') copySources(workdir)
    // Whoever runs this has the pinned one already.
    else if (name === 'RUN' && !text.startsWith('npm install --global')) {
      console.log(`RUN ${text}`)
      execFileSync('sh', ['-c', placed(text)], { cwd: workdir, env, stdio: 'inherit' })
    }
  }
}

/** What an engine would send: the files of the folder, without the ignored. @param {string} target */
function copySources(target) {
  const ignored = readFileSync(new URL('Dockerfile.dockerignore', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const path of listed.toString().split('\0')) {
    const parents = path.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/'))
    const isIgnored = parents.some((one) => ignored.some((pattern) => matchesGlob(one, pattern)))
    if (path === '' || isIgnored || !existsSync(join(root, path))) continue
    mkdirSync(dirname(join(target, path)), { recursive: true })
    cpSync(join(root, path), join(target, path))
  }
}

async function runTree() {
  const data = join(folder, 'data')
  const config = join(folder, 'config')
  const [uid, gid] =
    wordsOf(/** @type {any} */ (last), 'USER')[0]
      ?.split(':')
      .map(Number) ?? []
  const other = process.getuid?.() === 0 && uid !== undefined && gid !== undefined ? { uid, gid } : undefined
  for (const own of [data, config]) {
    mkdirSync(own, { mode: 0o700 })
    if (other !== undefined) chownSync(own, other.uid, other.gid)
  }
  chmodSync(folder, 0o755)
  execFileSync('chmod', ['-R', 'a-w', join(folder, 'app')])
  const [, main = ''] = wordsOf(/** @type {any} */ (last), 'ENTRYPOINT').map(placed)
  const env = {
    PATH: process.env.PATH,
    ...environmentOf(/** @type {any} */ (last)),
    COUNTERSIGN_HOST: '127.0.0.1',
    COUNTERSIGN_PORT: '0',
    COUNTERSIGN_METRICS_PORT: '0',
    COUNTERSIGN_DATA_DIR: data,
  }
  const options = { cwd: config, env, ...other }
  console.log(execFileSync(process.execPath, [main, 'init', config], { ...options, encoding: 'utf8' }))
  const words = wordsOf(/** @type {any} */ (last), 'CMD')
  const service = spawn(process.execPath, [main, ...words, '--json'], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await once(service.stdout, 'data')
  const { port } = new URL(JSON.parse(String(said)).url)
  const [, ...check] = wordsOf(/** @type {any} */ (last), 'HEALTHCHECK')
  execFileSync(process.execPath, check, { env: { COUNTERSIGN_PORT: port } })
  const exited = once(service, 'exit')
  service.kill('SIGTERM')
  const [code] = await exited
  if (code !== 0) throw new Error(`The service ended with ${code}.`)
}
