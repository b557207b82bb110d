import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier, isRejection, staticKeys } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { badTokens, badTokensInLua } from '../harness/bad-tokens.mjs'
import { audience, issuer, makeKey, makeTokens } from '../harness/issuer.mjs'
import { flood } from '../harness/wrk.mjs'

const key = makeKey()
const { verifySync } = createVerifier({ issuer, audience, keys: staticKeys({ keys: [key.jwk] }) })

function codeOf(token: string): string {
  try {
    verifySync(token)
    return 'accepted'
  } catch (error) {
    if (!isRejection(error)) throw error
    return error.code
  }
}

it('measures with good tokens of 712 characters', () => {
  for (const token of makeTokens(key, 3)) expect([token.length, codeOf(token)]).toEqual([712, 'accepted'])
})

it('makes bad tokens, no two alike, of every kind', () => {
  const make = badTokens(key)
  const tokens = Array.from({ length: 600 }, (_, index) => make(index))
  expect(new Set(tokens).size).toBe(600)
  expect(new Set(tokens.map(codeOf))).toEqual(
    new Set(['bad_signature', 'unknown_key', 'expired', 'wrong_audience', 'malformed']),
  )
})

describe('a flood', () => {
  it('is as many requests as asked for, each with another bad token', async () => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(String(request.headers.authorization))
      response.writeHead(401).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const answers = await flood({ url }, { lua: badTokensInLua(key), from: 123_456_000, count: 400, connections: 4 })
      expect(answers).toEqual({ 401: 400 })
    } finally {
      server.closeAllConnections()
      server.close()
    }
    const tokens = seen.map((value) => value.replace(/^Bearer /, ''))
    expect(new Set(tokens).size).toBe(tokens.length)
    expect(new Set(tokens.map(codeOf))).toEqual(new Set(['bad_signature', 'unknown_key', 'malformed']))
  })
})
