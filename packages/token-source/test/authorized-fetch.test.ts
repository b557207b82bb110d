import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, it } from 'vitest'
import { authorizedFetch } from '../src/index.ts'

const seen: { authorization: string | undefined; body: string }[] = []
const server = createServer(async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  seen.push({ authorization: request.headers.authorization, body })
  response.writeHead(request.headers.authorization === 'Bearer good' ? 200 : 401).end('answer')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/agents`
afterAll(() => server.close())

function sourceOf(...tokens: string[]) {
  const asked: unknown[] = []
  const getToken = async (options?: unknown) => {
    asked.push(options)
    return tokens[Math.min(asked.length, tokens.length) - 1] ?? ''
  }
  return { asked, getToken }
}

it('sends the token, and once another one after a 401', async () => {
  seen.length = 0
  const source = sourceOf('old', 'good')
  const response = await authorizedFetch(source)(url, { method: 'POST', body: 'order', headers: { 'x-trace': '1' } })
  expect(response.status).toBe(200)
  expect(seen).toEqual([
    { authorization: 'Bearer old', body: 'order' },
    { authorization: 'Bearer good', body: 'order' },
  ])
  expect(source.asked).toEqual([{}, { reason: 'rejected', token: 'old' }])
})

it('leaves it at the 401 where there is no other token', async () => {
  seen.length = 0
  expect((await authorizedFetch(sourceOf('old'))(url)).status).toBe(401)
  expect(seen).toHaveLength(1)
  seen.length = 0
  expect((await authorizedFetch(sourceOf('old', 'older'))(url)).status).toBe(401)
  expect(seen).toHaveLength(2)
})

it('does not send a stream twice', async () => {
  seen.length = 0
  const body = new Blob(['order']).stream()
  const init = { method: 'POST', body, duplex: 'half' }
  const response = await authorizedFetch(sourceOf('old', 'good'))(url, init)
  expect([response.status, seen.length]).toEqual([401, 1])
  const asked = await authorizedFetch(sourceOf('good'))(new Request(url, { headers: { 'x-trace': '1' } }))
  expect(asked.status).toBe(200)
})

it('ends with its signal', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(authorizedFetch(sourceOf('good'))(url, { signal })).rejects.toThrow('enough')
})
