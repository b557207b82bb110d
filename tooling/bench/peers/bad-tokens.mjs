// usage: bad-tokens.mjs JWKS-URL PRIVATE-KEY-FILE
// A guarded Express route and, on a port of its own, what the benchmark asks it: to put bad tokens before the guard
// without HTTP, and how much memory it has after a collection.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import express from 'express'
import { badTokens } from '../harness/bad-tokens.mjs'
import { audience, issuer, keyFrom } from '../harness/issuer.mjs'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const [jwksUrl = '', keyFile = ''] = process.argv.slice(2)
const bad = badTokens(keyFrom(readFileSync(keyFile, 'utf8')))

/** @param {import('node:http').RequestListener} listener */
async function listen(listener) {
  const server = createServer(listener)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`
}

const guard = createGuard({ issuer, audience, jwksUrl })
const app = express()
app.get('/agents', expressAuth(guard).requireToken(), (_, res) => void res.end('ok'))

/** @param {number} from @param {number} count how the guard decides, by code */
async function admitBad(from, count) {
  /** @type {Record<string, number>} */
  const codes = {}
  for (let index = from; index < from + count; index += 1) {
    const decision = await guard.admit({ token: bad(index) })
    const code = decision.admitted ? 'admitted' : decision.code
    codes[code] = (codes[code] ?? 0) + 1
  }
  return codes
}

const controls = await listen(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  let answer = {}
  if (pathname === '/admit')
    answer = await admitBad(Number(searchParams.get('from')), Number(searchParams.get('count')))
  else {
    // What finalizers let go of is free for the second.
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { rss, heapUsed } = process.memoryUsage()
    answer = { rss, heapUsed }
  }
  response.end(JSON.stringify(answer))
})
process.once('SIGTERM', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ url: `${await listen(app)}/agents`, controls })}\n`)
