// usage: websocket.mjs bare|countersign|graphql-ws-jose [LIMITS as JSON [PRIVATE KEY as PEM]]
// A WebSocket server at /ws, and beside it a control port that says what the process holds. First line: the ports, and
// the key that tokens for it are signed with: a new one, unless it is given.

import { verify } from 'node:crypto'
import { createServer } from 'node:http'
import { createGuard } from '@countersign/guard'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { webSocketAuth } from '@countersign/websocket/server'
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { importJWK, jwtVerify } from 'jose'
import { WebSocketServer } from 'ws'
import { audience, issuer, keyFrom, makeKey } from '../harness/issuer.mjs'
import { collectYoung, shrink } from '../harness/memory.mjs'

const [kind = '', limits = '{}', privatePem] = process.argv.slice(2)
const key = privatePem === undefined ? makeKey() : keyFrom(privatePem)

/** @param {import('node:http').RequestListener} [listener] */
async function listen(listener) {
  const server = createServer(listener)
  await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(undefined)))
  return { server, port: /** @type {import('node:net').AddressInfo} */ (server.address()).port }
}

/** @type {Set<(principal: any) => boolean>} */
const revoked = new Set()
/** @type {Set<() => void>} */
const listeners = new Set()
/** What is counted while a benchmark runs. */
const counts = { connections: 0, messages: 0, lateMessages: 0, reauthenticated: 0, closed: 0 }
let revokedAtMs = 0
/** @type {number[]} */
let closedAfterMs = []

const { server, port } = await listen()
/** @returns {Promise<number>} */
const connections = () => new Promise((resolve) => server.getConnections((_fault, count) => resolve(count)))

/** @type {Record<string, () => Promise<void>>} */
const kinds = {
  bare: async () => {
    const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false })
    wss.on('connection', (ws) => {
      counts.connections += 1
      ws.on('error', () => {})
      ws.on('message', (data) => ws.send(`{"type":"auth.ok","length":${String(data).length}}`))
    })
  },
  countersign: async () => {
    const verifier = createVerifier({ issuer, audience, keys: staticKeys({ keys: [key.jwk] }), cache: false })
    const guard = createGuard({
      verifier,
      revocations: {
        isRevoked: (principal) => [...revoked].some((matches) => matches(principal)),
        onChange: (call) => {
          listeners.add(call)
          return () => listeners.delete(call)
        },
      },
    })
    const sockets = webSocketAuth({
      guard,
      messages: { echo: ['agents:read'] },
      limits: JSON.parse(limits),
      onEvent: (event) => {
        if (event.type === 'closed') {
          counts.closed += 1
          if (revokedAtMs > 0) closedAfterMs.push(performance.now() - revokedAtMs)
        } else if (event.type === 'reauth' && event.result === 'ok') counts.reauthenticated += 1
        else if (event.type === 'auth' && event.result === 'ok') counts.connections += 1
      },
    })
    sockets.on('echo', ({ data, reply }) => {
      counts.messages += 1
      if (revokedAtMs > 0) counts.lateMessages += 1
      reply({ type: 'echoed', data })
    })
    sockets.mount(server, '/ws')
  },
  'graphql-ws-jose': async () => {
    const publicKey = await importJWK(key.jwk, 'EdDSA')
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { me: { type: GraphQLString } } }),
    })
    const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false })
    useServer(
      {
        schema,
        onConnect: async ({ connectionParams }) => {
          await jwtVerify(String(connectionParams?.token), publicKey, { issuer, audience, algorithms: ['EdDSA'] })
          counts.connections += 1
          return true
        },
      },
      wss,
    )
  },
}
const start = kinds[kind]
if (start === undefined) throw new Error(`usage: websocket.mjs ${Object.keys(kinds).join('|')}`)
await start()

/** @type {Record<string, (body: any) => unknown>} */
const control = {
  '/held': async () => {
    await shrink()
    return { ...process.memoryUsage(), ...counts }
  },
  '/counts': () => counts,
  // CPU that the process has used by the time that it is done with every socket and with what they left behind.
  '/spent': async () => {
    while ((await connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 1))
    collectYoung()
    return process.cpuUsage()
  },
  // The bare signature check of the same tokens, in this very process.
  '/verify': ({ tokens }) => {
    const inputs = tokens.map((/** @type {string} */ token) => {
      const end = token.lastIndexOf('.')
      return { data: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') }
    })
    const before = process.cpuUsage()
    let good = 0
    for (const { data, signature } of inputs) if (verify(null, data, key.publicKey, signature)) good += 1
    return { ...process.cpuUsage(before), good }
  },
  '/revoke': ({ subject }) => {
    closedAfterMs = []
    revokedAtMs = performance.now()
    revoked.add((principal) => principal.subject === subject)
    for (const call of listeners) call()
    return { firedMs: performance.now() - revokedAtMs }
  },
  '/closed': () => ({ closedAfterMs, ...counts }),
}
const { port: controlPort } = await listen(async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  const answer = await control[request.url ?? '']?.(body === '' ? {} : JSON.parse(body))
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer ?? null))
})

process.once('SIGTERM', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ port, controlPort, pid: process.pid, privatePem: key.privatePem })}\n`)
