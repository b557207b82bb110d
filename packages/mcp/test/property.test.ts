import { McpServer } from '@modelcontextprotocol/server'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Access } from '../src/index.ts'
import { guardMcp } from '../src/v2/index.ts'
import { makeGuard, makeToken, type Scope, scopes, text } from './fixtures.ts'

const url = 'http://127.0.0.1:4700/mcp'
const anyScope = fc.constantFrom(...(Object.keys(scopes) as Scope[]))
const anyAccess: fc.Arbitrary<Access<Scope>> = fc.oneof(
  fc.constantFrom('token' as const, 'public' as const),
  fc.uniqueArray(anyScope, { minLength: 1 }).map((all) => all as unknown as readonly [Scope]),
)

const send = (token: string | undefined, method: string, params: object) =>
  new Request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })

it('lists what can be called, and lets call what the declared scopes allow: both exactly', async () => {
  const accesses = fc.array(anyAccess, { minLength: 1, maxLength: 6 })
  const implies = fc.dictionary(anyScope, fc.uniqueArray(anyScope), { maxKeys: 2 })
  const holder = fc.option(fc.uniqueArray(anyScope))
  await fc.assert(
    fc.asyncProperty(accesses, implies, holder, async (declared, hierarchy, held) => {
      const guard = makeGuard()
      const guarded = guardMcp<Scope>(() => new McpServer({ name: 'any', version: '1' }), { guard, implies: hierarchy })
      declared.forEach((access, index) => {
        guarded.tool(`tool_${index}`, { scopes: access }, () => text('ran'))
      })
      const http = await guarded.http({ resource: url, anonymous: true })
      const token = held === null ? undefined : makeToken(held.join(' '))
      const reached = new Set<Scope>(held)
      for (const scope of reached) for (const implied of hierarchy[scope] ?? []) reached.add(implied)
      const allowed = declared.map((access) => {
        if (typeof access === 'string') return access === 'public' || held !== null
        return access.every((scope) => reached.has(scope))
      })

      const callable: string[] = []
      for (const [index, isAllowed] of allowed.entries()) {
        const response = await http.fetch(send(token, 'tools/call', { name: `tool_${index}`, arguments: {} }))
        const answer = await response.text()
        expect(response.status).toBe(isAllowed ? 200 : held === null ? 401 : 403)
        expect(answer.includes('"ran"')).toBe(isAllowed)
        if (isAllowed) callable.push(`tool_${index}`)
      }
      const listed = await (await http.fetch(send(token, 'tools/list', {}))).text()
      const { result } = JSON.parse(/^data: (.+)$/m.exec(listed)?.[1] ?? listed)
      expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(callable)
      await http.close()
    }),
    { numRuns: 60 },
  )
})
