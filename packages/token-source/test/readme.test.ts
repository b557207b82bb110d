import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { authorizedFetch, createTokenExchanger, createTokenSource, tokenSourceErrorCodes } from '../src/index.ts'
import { scriptedServer } from './scripted-server.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code.replace(/^import .*$/m, ''))

it('shows examples in its README that run', async () => {
  const server = await scriptedServer()
  const called: unknown[] = []
  const request = async (url: string, init: RequestInit) => {
    called.push([url, new Headers(init.headers).get('authorization')])
    return new Response('[]')
  }
  const [first = '', second = ''] = examples
  const run = (code: string, names: Record<string, unknown>) =>
    new Function(...Object.keys(names), `return (async () => {${code}; return token })()`)(...Object.values(names))
  const token = await run(first.replace('https://auth.example.com', server.issuer), {
    createTokenSource,
    authorizedFetch: (source: Parameters<typeof authorizedFetch>[0]) => authorizedFetch(source, request as never),
    secret: 'a secret',
  })
  expect(token).toBe('token-1')
  expect(called).toEqual([['https://api.example.com/agents', 'Bearer token-1']])
  const client = { id: 'mcp-orchestrator', secret: 'x' }
  const names = { createTokenExchanger, issuer: server.issuer, client, callersToken: 'ada' }
  expect(await run(second, names)).toBe('token-2')
})

it('names each code in its README', () => {
  for (const code of tokenSourceErrorCodes) expect(readme).toContain(`\`${code}\``)
})
