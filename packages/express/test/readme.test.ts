import { readFileSync } from 'node:fs'
import { createGuard } from '@countersign/guard'
import express, { type Express, type RequestHandler } from 'express'
import { expect, it } from 'vitest'
import { expressAuth } from '../src/index.ts'
import { bearer, consumer, makeGuard, makeToken, serving } from './fixtures.ts'

const [readme = ''] = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('## With another issuer')
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

it('shows examples in its README that run', async () => {
  const body = `${examples.join('\n').replaceAll(/^import .*$/gm, '')}\nreturn app`
  const ok: RequestHandler = (_req, res) => {
    res.json({ ok: true })
  }
  const lines: string[] = []
  const names = {
    express,
    expressAuth,
    // The example's own call, which fetches nothing before the first token; its keys are this test's.
    createGuard: (options: { issuer: string; consumer: typeof consumer }) => {
      void createGuard(options).close()
      return makeGuard()
    },
    consumers: { 'agent-api': consumer },
    postChat: ok,
    deleteAgent: ok,
    console: { log: (...parts: unknown[]) => lines.push(parts.join(' ')) },
  }
  const app: Express = new Function(...Object.keys(names), body)(...Object.values(names))
  expect(lines).toEqual(['GET /healthz public', 'GET /whoami token', 'DELETE /agents/:id agents:read,agents:write'])
  await serving(app, async (origin) => {
    const agents = await fetch(`${origin}/agents`, bearer(makeToken()))
    expect(await agents.json()).toEqual({ for: 'user_1' })
    expect((await fetch(`${origin}/chat`, { method: 'POST' })).status).toBe(401)
    expect(await (await fetch(`${origin}/healthz`)).text()).toBe('ok')
    expect((await fetch(`${origin}/whoami`, bearer(makeToken()))).status).toBe(200)
  })
})
