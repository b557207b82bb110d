import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import * as dpop from '../src/dpop.ts'
import * as tokens from '../src/index.ts'
import * as jwks from '../src/jwks.ts'
import { ed25519Key, goodClaims } from './support/issuer.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const [example = '', foreign = '', possession = '', explained = ''] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code = '']) => code,
)

/** Runs an example with its imports handed in, and returns what it logged. */
async function run(
  code: string,
  origin: string,
  token: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<unknown[][]> {
  const logged: unknown[][] = []
  const log = (...parts: unknown[]): void => void logged.push(parts)
  const scope = { ...tokens, ...jwks, ...dpop, ...more, token, console: { log, warn: log } }
  const body = code.replace(/^import .*$/gm, '').replaceAll('https://auth.example.com', origin)
  const program = new Function(...Object.keys(scope), `return (async () => {${stripTypeScriptTypes(body)}})()`)
  await program(...Object.values(scope))
  return logged
}

it('has examples that do what they say', async () => {
  const key = ed25519Key()
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: [key.jwk] })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const now = Math.floor(Date.now() / 1000)
    const claims = { ...goodClaims, iss: origin, iat: now, exp: now + 600 }
    const good = await tokens.signAccessToken(claims, key.signer)
    expect(await run(example, origin, good)).toEqual([['user_1', new Set(['agents:read', 'chat:write'])]])
    const old = await tokens.signAccessToken({ ...claims, iat: now - 700, exp: now - 100 }, key.signer)
    expect(await run(example, origin, old)).toEqual([['expired', tokens.remedies.expired]])
    expect(await run(foreign, origin, '')).toEqual([])
    const [[explanation] = []] = await run(explained, origin, good)
    expect(explanation).toMatchObject({
      ...{ accepted: false, code: 'wrong_audience', where: 'claims.aud', setting: 'audience' },
      ...{ expected: 'billing', found: 'agent-api' },
    })
    for (const [, name = ''] of explained.matchAll(/(\w+): '/g)) {
      if (name !== 'issuer' && name !== 'audience') expect(explanation).toHaveProperty(name)
    }
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

it('has an example of proofs, in which only the bound key gets through', async () => {
  const privateJwk = await dpop.generateDpopKey()
  const { thumbprint } = await dpop.importDpopKey(privateJwk)
  const given = (confirmationKey: string): object => ({
    privateJwk,
    accessToken: 'a.b.c',
    principal: { confirmationKey },
  })
  expect(await run(possession, '', '', { ...given(thumbprint) })).toEqual([])
  const foreign = await dpop.importDpopKey(await dpop.generateDpopKey())
  expect(await run(possession, '', '', { ...given(foreign.thumbprint) })).toEqual([
    ['proof_wrong_key', dpop.proofRemedies.proof_wrong_key],
  ])
})

it('names every profile and every option', () => {
  for (const name of [
    'auth0',
    'keycloak',
    'clerk',
    'betterAuth',
    'oidcProvider',
    'maxTokenLength',
    'isRevoked',
    'ed25519',
  ]) {
    expect(readme).toContain(`\`${name}\``)
  }
})
