// Random chains of token exchanges through a running service, checked by guards that follow its feed: no token is worth more
// than the one that it was made of, none outlives it, and whatever ends one ends all that came of it, and nothing else, in time.

import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { createGuard } from '@countersign/guard'
import { install, password, stop } from './fleet.mjs'

const { values, positionals } = parseArgs({ options: { seed: { type: 'string' } }, allowPositionals: true })
const wanted = Number(positionals[0] ?? 10_000)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const atOnce = 16
/** With the stream alive a second is promised, and half of one more without. */
const boundMs = 1_500

const audiences = ['alpha', 'beta', 'gamma', 'delta']
const scopes = ['a:read', 'b:read', 'c:read', 'd:read']
const lives = [60, 120, 300, 600]
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'

let state = seed
/** mulberry32: a whole number below `most`. @param {number} most */
function below(most) {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % most
}
/** @template T @param {readonly T[]} list @returns {T} */
const oneOf = (list) => /** @type {T} */ (list[below(list.length)])
/** Mostly all of them, so that chains get long. */
const someScopes = () => (below(3) > 0 ? scopes : scopes.filter(() => below(3) > 0)).join(' ')

const fleet = await install({
  consumers: {
    ...Object.fromEntries(
      audiences.map((name, index) => [
        name,
        { scopes, obtainedBy: ['sign-in', 'client-credentials', 'exchange'], accessTokenLifeSeconds: lives[index] },
      ]),
    ),
    'agent-api': { scopes: ['agents:read'], obtainedBy: 'sign-in', refresh: 'body' },
    edges: audiences.flatMap((from) =>
      audiences.filter((to) => to !== from).map((to) => ({ from, to, scopes: scopes.filter(() => below(8) > 0) })),
    ),
  },
})
const { issuer } = fleet.operator
const secrets = new Map()
for (const name of audiences) {
  const { secret } = await issuer.clients.add({ name, grants: ['client_credentials', 'token_exchange'], audiences })
  secrets.set(name, secret)
}
await issuer.clients.add({ name: 'front', type: 'public', grants: ['sign_in'], audiences })
const { child, url } = await fleet.serve()
const base = url.replace(/\/$/, '')
const guards = new Map(
  audiences.map((audience) => {
    const jwksUrl = `${base}/.well-known/jwks.json`
    return [
      audience,
      createGuard({ issuer: fleet.config.issuer, audience, jwksUrl, feed: { url: `${base}/revocations` } }),
    ]
  }),
)
await Promise.all([...guards.values()].map((guard) => guard.whenReady()))

/** @param {string} path @param {string} client @param {Record<string, string>} form */
async function post(path, client, form) {
  const headers = { authorization: `Basic ${btoa(`${client}:${secrets.get(client)}`)}` }
  const response = await fetch(base + path, { method: 'POST', headers, body: new URLSearchParams(form) })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

/** The first token of a chain: a service's own, or now and then a person's. @param {string} audience */
async function begin(audience) {
  const scope = someScopes()
  if (below(40) > 0 || scope === '') {
    const form = { grant_type: 'client_credentials', audience, ...(scope === '' ? {} : { scope }) }
    return (await post('/oauth/token', audience, form)).body.access_token
  }
  const response = await fetch(`${base}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'front', audience, scope }),
  })
  return (await response.json()).access_token
}

/** @param {string} audience @param {string} token */
async function read(audience, token) {
  const decision = await guards.get(audience)?.admit({ token })
  assert.ok(decision?.admitted, `a new token for ${audience} is refused: ${decision?.code}`)
  return { audience, token, principal: decision.principal }
}

const seen = { chains: 0, links: 0, longest: 0, refused: 0, people: 0, delays: /** @type {number[]} */ ([]) }

async function chain() {
  const first = oneOf(audiences)
  const links = [await read(first, await begin(first))]
  if (links[0].principal.subject !== links[0].principal.clientId) seen.people += 1
  for (let step = below(6); step > 0; step -= 1) {
    const before = links.at(-1)
    assert.ok(before)
    const audience = oneOf(audiences.filter((name) => name !== before.audience))
    const scope = below(2) === 0 ? '' : someScopes()
    const answer = await post('/oauth/token', before.audience, {
      grant_type: exchangeGrant,
      subject_token: before.token,
      subject_token_type: accessToken,
      audience,
      ...(scope === '' ? {} : { scope }),
    })
    if (answer.status !== 200) {
      assert.equal(answer.status, 400, JSON.stringify(answer.body))
      seen.refused += 1
      continue
    }
    const made = await read(audience, answer.body.access_token)
    const [parent, child] = [before.principal, made.principal]
    assert.ok(
      [...child.scopes].every((one) => parent.scopes.has(one)),
      'a scope was added',
    )
    assert.ok(scope === '' || [...child.scopes].every((one) => scope.split(' ').includes(one)), 'not asked for')
    assert.ok(child.expiresAt <= parent.expiresAt, 'it outlives its parent')
    assert.equal(child.subject, parent.subject)
    assert.equal(child.session, parent.session)
    assert.deepEqual(child.ancestors, [parent.tokenId, ...parent.ancestors])
    assert.deepEqual(child.actor?.actor, parent.actor)
    assert.ok(child.ancestors.length <= 4)
    links.push(made)
  }
  await end(links)
  seen.chains += 1
  seen.links += links.length
  seen.longest = Math.max(seen.longest, links.length)
}

/** Ends one of them, or the session of all; those before it go on. @param {Awaited<ReturnType<typeof read>>[]} links */
async function end(links) {
  const at = below(links.length)
  const target = links[at]
  assert.ok(target)
  const { session, clientId, subject } = target.principal
  const wholeSession = clientId !== subject && at === 0 && session !== undefined
  const ending = wholeSession ? links : links.slice(at)
  const told = ending.map(({ audience, principal }) => {
    const ended = Promise.withResolvers()
    const forget = guards
      .get(audience)
      ?.watch(principal, ({ reason }) => ended.resolve({ reason, ms: performance.now() }))
    return { ended: ended.promise, forget }
  })
  if (wholeSession) {
    const headers = { authorization: `Bearer ${target.token}`, 'content-type': 'application/json' }
    const out = await fetch(`${base}/auth/sign-out`, { method: 'POST', headers, body: '{}' })
    assert.equal(out.status, 200)
  } else {
    // Who obtained it: of the first its own service, of the others the one that exchanged.
    const holder = at === 0 ? target.audience : links[at - 1]?.audience
    const { status } = await post('/oauth/revoke', holder ?? '', { token: target.token })
    assert.equal(status, 200)
  }
  const since = performance.now()
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`no end within ${boundMs} ms, of ${ending.length} links`)), boundMs * 10).unref()
  })
  for (const { ended, forget } of told) {
    const { reason, ms } = await Promise.race([ended, late])
    assert.equal(reason, 'revoked')
    seen.delays.push(Math.max(0, ms - since))
    forget?.()
  }
  for (const [index, { audience, token }] of links.entries()) {
    const decision = await guards.get(audience)?.admit({ token })
    const expected = ending.includes(links[index] ?? target) ? 'revoked' : 'admitted'
    const found = decision?.admitted === true ? 'admitted' : decision?.code
    assert.equal(found, expected, `link ${index} of ${links.length}, ended at ${at}`)
  }
}

let left = wanted
const began = performance.now()
try {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await chain()
    }),
  )
} catch (error) {
  console.error(`seed ${seed}:`, error)
  process.exitCode = 1
}
for (const guard of guards.values()) await guard.close()
await stop(child)
await fleet.remove()
seen.delays.sort((a, b) => a - b)
const delay = (/** @type {number} */ share) =>
  seen.delays[Math.min(seen.delays.length - 1, Math.floor(seen.delays.length * share))] ?? Number.NaN
console.log(
  `${seen.chains} chains, ${seen.links} tokens, longest ${seen.longest}, ${seen.people} of people, ${seen.refused} exchanges refused, ` +
    `in ${((performance.now() - began) / 1000).toFixed(0)} s (seed ${seed})`,
)
console.log(
  `refused after a revocation: p50 ${delay(0.5).toFixed(0)} ms, p99 ${delay(0.99).toFixed(0)} ms, most ${delay(1).toFixed(0)} ms`,
)
if (!(delay(1) <= boundMs)) process.exitCode = 1
process.exit()
