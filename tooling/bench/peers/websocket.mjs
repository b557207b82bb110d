// usage: websocket.mjs bare|countersign|graphql-ws-jose [LIMITS as JSON]
// A WebSocket server at /ws, and beside it a control port that says what the process holds. First line: the ports, and
// the key that tokens for it are signed with.

import { createServer } from 'node:http'
import { createGuard } from '@countersign/guard'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { webSocketAuth } from '@countersign/websocket/server'
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { importJWK, jwtVerify } from 'jose'
import { WebSocketServer } from 'ws'
import { audience, issuer, makeKey } from '../harness/issuer.mjs'
import { shrink } from '../harness/memory.mjs'

const [kind = '', limits = '{}'] = process.argv.slice(2)
const key = makeKey()

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
  '/cpu': () => process.cpuUsage(),
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
