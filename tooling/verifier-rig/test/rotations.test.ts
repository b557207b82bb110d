import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { RigResult } from '../rig/report.ts'

/** Runs a program of the rig in a process of its own, since it takes over the time. */
async function run(program: string, ...args: string[]): Promise<RigResult> {
  const file = fileURLToPath(new URL(`../${program}.ts`, import.meta.url))
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, [file, ...args], { timeout: 110_000 }, (error, stdout, stderr) => {
      // It exits with 1 when a token was refused, and says which.
      try {
        resolve(JSON.parse(stdout))
      } catch {
        reject(new Error(`${stderr}${stdout}`, { cause: error }))
      }
    })
  })
}

const clean = { valid_tokens_refused: 0, signatures_by_an_unpublished_key: 0, stray_tokens_taken: 0, refused: [] }
const verifiers = ['countersign', 'jose', 'aws-jwt-verify', 'express-oauth2-jwt-bearer', 'fast-jwt + get-jwks']

it('no verifier refuses a valid token in 20 simulated rotations', async () => {
  const result = await run('simulate', '--rotations', '20', '--seed', '2')
  expect(result).toMatchObject({ ...clean, verifiers, rotations: 20, keys: 21 })
  expect(result.verifications).toBeGreaterThan(2000)
  expect(result.stray_tokens_refused).toBeGreaterThan(50)
})

it('the rig notices keys that sign before verifiers can know them', async () => {
  const result = await run('simulate', '--rotations', '3', '--without-wait')
  expect(result.signatures_by_an_unpublished_key).toBeGreaterThan(0)
  expect(new Set(result.refused.map(({ verifier }) => verifier))).toContain('jose')
})

it('no verifier refuses a valid token in a real rotation at true defaults', async () => {
  const result = await run('fake-time-rotations', '--rotations', '1', '--milliseconds', '40')
  expect(result).toMatchObject({ ...clean, verifiers, rotations: 1, keys: 2 })
  // Each of the five, with a token or two, in each of 18 flows; more often where the machine has time for it.
  expect(result.verifications).toBeGreaterThan(150)
})
