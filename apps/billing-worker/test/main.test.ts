import { runProgram } from '@countersign-apps/kit/testing'
import { expect, it } from 'vitest'
import { providerKey, webhookSecret } from './fleet.ts'

const run = (file: string, variables: Record<string, string>, until?: string) =>
  runProgram(new URL(`../src/${file}`, import.meta.url), { variables, until })

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
