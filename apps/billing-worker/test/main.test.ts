import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { providerKey, webhookSecret } from './fleet.ts'

async function run(file: string, variables: Record<string, string>, until?: string) {
  const main = fileURLToPath(new URL(`../src/${file}`, import.meta.url))
  const child = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...variables }, stdio: 'pipe' })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      printed += String(text)
      if (until !== undefined && printed.includes(until)) child.kill('SIGTERM')
    })
  }
  const [code] = await once(child, 'close')
  return { code, printed }
}

it('the worker names what is wrong with its variables, never their values, and ends with 2', async () => {
  const { code, printed } = await run('main.ts', { CLIENT_ID: 'x', CLIENT_SECRET: 'x', WEBHOOK_SECRET: 'needle' })
  expect(code).toBe(2)
  expect(printed).toMatch(/^PROVIDER_KEY: /m)
  expect(printed).toMatch(/^WEBHOOK_SECRET: expected whsec_/m)
  expect(printed).not.toContain('needle')
})

it('who plays the provider starts, and ends with 0 when told to', async () => {
  const variables = { PORT: '0', PROVIDER_KEY: providerKey, WEBHOOK_SECRET: webhookSecret }
  const { code, printed } = await run('provider-main.ts', variables, 'listens on')
  expect({ code, printed }).toEqual({
    code: 0,
    printed: expect.stringMatching(/^listens on http:\/\/127\.0\.0\.1:\d+/),
  })
})
