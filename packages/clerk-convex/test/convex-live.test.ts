import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { convexTest } from 'convex-test'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ConvexLoopback, convexLoopback } from '../src/testing/index.ts'
import { describeConvex } from './live/convex-suite.ts'
import { readKeys } from './live/keys.ts'

// The suite for a real deployment, held to the loopback: so it is known to run before somebody gives it theirs.
const folder = mkdtempSync(join(tmpdir(), 'countersign-live-convex-'))
const keyFile = join(folder, 'keys.json')
const setUp = fileURLToPath(new URL('./live/set-up.mjs', import.meta.url))
const printed = execFileSync(process.execPath, [setUp, keyFile], { encoding: 'utf8' })
const keys = readKeys(keyFile)
// As a deployment has them before its modules are loaded.
Object.assign(process.env, keys.environment)

/** `convex dev` would make the generated part. */
const generated = { './live/convex/_generated/api.ts': async () => ({}) }
const modules = { ...import.meta.glob('./live/convex/**/*.ts'), ...generated }
let loopback: ConvexLoopback
beforeAll(async () => {
  const { default: auth } = await import('./live/convex/auth.config.ts')
  const { default: schema } = await import('./live/convex/schema.ts')
  const t = convexTest({ schema, modules })
  loopback = await convexLoopback(t, { auth, modules, followMs: 20 })
})
afterAll(async () => {
  await loopback.close()
  rmSync(folder, { recursive: true })
})

describeConvex('the loopback', () => ({ url: loopback.url, siteUrl: loopback.siteUrl, keys }))

it('is set up by commands that hold no private key, and a file that only its owner can read', () => {
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  for (const name of Object.keys(keys.environment)) expect(printed).toContain(`npx convex env set ${name} '`)
  for (const { d } of [keys.RS256, keys.ES256]) expect(printed).not.toContain(d)
  expect(() => execFileSync(process.execPath, [setUp, keyFile], { stdio: 'pipe' })).toThrow(/EEXIST/)
})
