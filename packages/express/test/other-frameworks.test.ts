import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { admitRequest, challenge } from '@countersign/guard/http'
import express, { type RequestHandler } from 'express'
import { expect, it } from 'vitest'
import { bearer, makeGuard, makeToken, serving } from './fixtures.ts'

/** Of the guard's README: what stands there for frameworks that have no package. */
const readme = readFileSync(new URL('../../guard/README.md', import.meta.url), 'utf8')
const [, section = ''] = readme.split('## With another framework\n')
const [own = ''] = section.split('\n## ')
const [ofFetch = '', ofExpress4 = ''] = [...own.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)

/** Runs an example with its imports handed in, and returns what it exports under a name. */
function run<Result>(code: string, name: string): Result {
  const plain = code
    .replaceAll(/^import .*$/gm, '')
    .replace('export default', 'const handler =')
    .replace('export ', '')
  const names = { createGuard: () => makeGuard(), admitRequest, challenge }
  const body = `${stripTypeScriptTypes(plain)}\nreturn ${name}`
  return new Function(...Object.keys(names), body)(...Object.values(names))
}

const scoped = makeToken()
const unscoped = makeToken({ scope: 'nothing:here' })

it('answers a Fetch request', async () => {
  const handler = run<{ fetch(request: Request): Promise<Response> }>(ofFetch, 'handler')
  const ask = (token?: string) => handler.fetch(new Request('https://api.example.com/', token ? bearer(token) : {}))
  expect(await (await ask(scoped)).json()).toEqual({ for: 'user_1' })
  expect([(await ask()).status, (await ask(unscoped)).status]).toEqual([401, 403])
})

it('is a middleware of an Express that has no package', async () => {
  const requireScope = run<(...scopes: string[]) => RequestHandler>(ofExpress4, 'requireScope')
  const app = express()
  app.get('/agents', requireScope('agents:read'), (_req, res) => res.json({ for: res.locals.principal.subject }))
  await serving(app, async (origin) => {
    expect(await (await fetch(`${origin}/agents`, bearer(scoped))).json()).toEqual({ for: 'user_1' })
    const refused = await fetch(`${origin}/agents`, bearer(unscoped))
    expect(refused.headers.get('www-authenticate')).toContain('scope="agents:read"')
    expect([refused.status, (await fetch(`${origin}/agents`)).status]).toEqual([403, 401])
  })
})
