// Next.js itself through a real rotation under libfaketime: installed and built in a folder of its own (some 340 MB, half a
// minute), which is why no test does it.
// usage: node next.ts

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFakeTime, startProcess } from './rig/fake-time.ts'
import { findFreePort } from './rig/free-port.ts'
import { makeConfig } from './rig/token-service.ts'
import { Traffic } from './rig/traffic.ts'

const propagationSeconds = 3750
const rotateAfterSeconds = 27 * 86_400

const guardOf = `import { createGuard } from '@countersign/guard'
import { createMiddleware } from '../next-shaped/middleware'
import { createRoute } from '../next-shaped/route'
const guard = createGuard({ issuer: process.env.ISSUER ?? 'http://127.0.0.1:4600', audience: 'agent-api', revocations: false })
`
const files: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "consumer", "private": true, "type": "module" }',
  'next.config.mjs': 'export default { typescript: { ignoreBuildErrors: true } }',
  'app/layout.tsx': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>',
  'proxy.ts': `${guardOf.replaceAll('../', './')}
import { NextResponse } from 'next/server'
const middleware = createMiddleware(guard)
export const config = { matcher: '/api/:path*' }
export async function proxy(request: Request) {
  return (await middleware(request)) ?? NextResponse.next()
}
`,
  'app/api/agents/route.ts': `${guardOf.replaceAll('../', '../../../')}
export const dynamic = 'force-dynamic'
export const { GET } = createRoute(guard)
`,
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' }
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', process.stderr, process.stderr] })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ends with ${code}`)
}

async function makeProject(folder: string): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  await cp(new URL('next-shaped', import.meta.url), join(folder, 'next-shaped'), { recursive: true })
  await run('pnpm', ['add', 'next', 'react', 'react-dom', 'zod', 'jose'], folder)
  await run('pnpm', ['add', '-D', 'typescript', '@types/react', '@types/node'], folder)
  for (const name of ['guard', 'tokens']) {
    const from = dirname(fileURLToPath(import.meta.resolve(`@countersign/${name}/package.json`)))
    const to = join(folder, 'node_modules/@countersign', name)
    await mkdir(to, { recursive: true })
    for (const part of ['package.json', 'dist']) await cp(join(from, part), join(to, part), { recursive: true })
  }
  await run(join(folder, 'node_modules/.bin/next'), ['build'], folder)
}

const directory = await mkdtemp(join(tmpdir(), 'countersign-next-'))
const folder = join(directory, 'consumer')
const began = performance.now()
await makeProject(folder)
const builtSeconds = Math.round((performance.now() - began) / 1000)
const time = await createFakeTime(join(directory, 'time'))
const config = (await makeConfig()) as { issuer: string }
const args = [directory, JSON.stringify(config)]
const issuer = await startProcess(new URL('children/issuer.ts', import.meta.url), args, time.env)
const port = String(await findFreePort())
const next = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-H', '127.0.0.1', '-p', port], {
  cwd: folder,
  env: { ...process.env, ...time.env, NODE_ENV: 'production', ISSUER: config.issuer },
  stdio: ['ignore', process.stderr, process.stderr],
})
const app = `http://127.0.0.1:${port}`
const traffic = new Traffic({
  issuer: config.issuer,
  verifiersUrl: app,
  credentials: { id: issuer.said.id ?? '', secret: issuer.said.secret ?? '' },
  now: time.now,
  propagationSeconds,
})

async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await act()
    } catch (error) {
      if (attempt === 300) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

let refused = 0
let verified = 0
async function exchange(): Promise<void> {
  await traffic.look()
  const fresh = await traffic.issue()
  const held = traffic.held(Math.random()) ?? fresh
  for (const { token } of [fresh, held]) {
    // A connection that was idle through a leap in time is closed: then again, as a client would.
    const headers = { authorization: `Bearer ${token}` }
    const answer = await patiently(() => fetch(`${app}/api/agents`, { headers }))
    verified += 1
    if (answer.status !== 200) {
      refused += 1
      process.stderr.write(`${answer.status} ${await answer.text()}\n`)
    }
  }
}

async function pass(seconds: number): Promise<void> {
  await time.pass(seconds)
  traffic.reconnect()
  await patiently(() => traffic.look())
}

try {
  await patiently(() => fetch(app))
  await exchange()
  const stranger = await fetch(`${app}/api/agents`)
  for (const seconds of [11, 31, 300, 601, 4 * 86_400, 22 * 86_400, 86_400 - 900 - 943]) {
    await pass(seconds)
    for (let count = 0; count < 5; count += 1) await exchange()
  }
  for (let step = 0; step < 40; step += 1) {
    await pass(60)
    for (let count = 0; count < 5; count += 1) await exchange()
  }
  const result = {
    next: JSON.parse(await readFile(join(folder, 'node_modules/next/package.json'), 'utf8')).version,
    installed_and_built_seconds: builtSeconds,
    rotateAfterSeconds,
    keys: traffic.tally.kids.size,
    without_token: stranger.status,
    verifications: verified,
    valid_tokens_refused: refused,
  }
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
  process.exitCode = refused === 0 && traffic.tally.kids.size === 2 && stranger.status === 401 ? 0 : 1
} finally {
  traffic.close()
  next.kill()
  await issuer.close()
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
}
