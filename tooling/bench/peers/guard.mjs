// usage: guard.mjs bare|countersign|express-oauth2-jwt-bearer|jose|fast-jwt-cache
// One Express 5 app with one route that needs a token with a scope, guarded by one of them. Keys come from a JWKS over
// HTTP where the guard can do that. First line: the route and tokens for it.

import { createServer } from 'node:http'
import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import express from 'express'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import { createVerifier } from 'fast-jwt'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { audience, issuer, makeKey, makeTokens } from '../harness/issuer.mjs'

const tokenCount = 1_000
const neededScope = 'agents:read'

/** @param {import('node:http').RequestListener} listener */
async function listen(listener) {
  const server = createServer(listener)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return `http://127.0.0.1:${port}`
}

const key = makeKey()
const jwksUrl = `${await listen((_, response) => {
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }))
})}/jwks.json`

/** What an app writes itself around a library that only verifies. @param {(token: string) => any} verify */
function around(verify) {
  /** @type {import('express').RequestHandler} */
  const handler = async (req, res, next) => {
    const token = req.headers.authorization?.startsWith('Bearer ') ? req.headers.authorization.slice(7) : ''
    try {
      const claims = await verify(token)
      if (!claims.scope.split(' ').includes(neededScope)) return void res.sendStatus(403)
    } catch {
      return void res.sendStatus(401)
    }
    next()
  }
  return handler
}

/** @type {Record<string, () => import('express').RequestHandler[]>} */
const guards = {
  bare: () => [],
  countersign: () => [expressAuth(createGuard({ issuer, audience, jwksUrl })).requireScope(neededScope)],
  'express-oauth2-jwt-bearer': () => [
    auth({ issuer, audience, jwksUri: jwksUrl, tokenSigningAlg: 'EdDSA' }),
    requiredScopes(neededScope),
  ],
  jose: () => {
    const keys = createRemoteJWKSet(new URL(jwksUrl))
    return [
      around(async (token) => (await jwtVerify(token, keys, { issuer, audience, algorithms: ['EdDSA'] })).payload),
    ]
  },
  'fast-jwt-cache': () => [
    around(
      createVerifier({
        key: key.publicPem,
        algorithms: ['EdDSA'],
        allowedIss: issuer,
        allowedAud: audience,
        cache: 10_000,
      }),
    ),
  ],
}

const guard = guards[process.argv[2] ?? '']
if (guard === undefined) throw new Error(`usage: guard.mjs ${Object.keys(guards).join('|')}`)
const app = express()
app.get('/agents', ...guard(), (_, res) => void res.end('ok'))
const url = `${await listen(app)}/agents`
process.once('SIGTERM', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ url, bearers: makeTokens(key, tokenCount) })}\n`)
