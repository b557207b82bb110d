import { expect, it } from 'vitest'
import type { GetToken } from '../src/client/index.ts'
import { webSocketAuth } from '../src/node/server.ts'
import { makeGuard } from './fixtures.ts'

it('takes only scopes of the consumer, and handlers of declared types', () => {
  const guard = makeGuard()
  const sockets = webSocketAuth({ guard, messages: { 'chat.send': ['chat:write'], hello: 'token' } })
  sockets.on('chat.send', ({ connection }) => void connection.permits('agents:read'))
  // @ts-expect-error a misspelt scope
  expect(() => webSocketAuth({ guard, messages: { 'chat.send': ['chat:wirte'] } })).toThrow()
  // @ts-expect-error a type that nobody declared
  expect(() => sockets.on('chat.sent', () => {})).toThrow()
  // @ts-expect-error a type without scopes
  expect(() => webSocketAuth({ guard, messages: { hello: [] } })).toThrow()
  // @ts-expect-error a scope of somebody else
  sockets.onConnection((connection) => void connection.permits('billing:write'))
  // @ts-expect-error without `messages` there are no types
  expect(() => webSocketAuth({ guard }).on('hello', () => {})).toThrow()
})

it('takes as `getToken` what gives a token, or says that there is nobody', () => {
  const plain: GetToken = async () => 'token'
  const nobody: GetToken = async () => undefined
  // @ts-expect-error null is no answer: Convex's clients took it for a sign-out
  const nothing: GetToken = async () => null
  // @ts-expect-error a token that is kept for ever
  const fixed: GetToken = 'token'
  expect([plain, nobody, nothing, fixed]).toHaveLength(4)
})
