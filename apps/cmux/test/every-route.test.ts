import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expressAuth } from '@countersign/express'
import { type WebSocketAuth, webSocketAuth } from '@countersign/websocket/server'
import { answerErrors } from '@countersign-apps/kit'
import { describeMessages, describeRoutes, type Served, serve, testIssuer } from '@countersign-apps/kit/testing'
import express from 'express'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { createCommands } from '../src/commands/commands.ts'
import { consumer, type Scope } from '../src/consumer.ts'
import { createFeed } from '../src/feed.ts'
import { answerMessages, messages } from '../src/messages.ts'
import { routes } from '../src/routes.ts'

// Tokens here are the same as cmux makes, but for whom they are: its own way to one is tested with the whole of it.
const issuer = await testIssuer({ ...consumer, resource: 'http://127.0.0.1:4620' })
const folder = await mkdtemp(join(tmpdir(), 'countersign-cmux-routes-'))
const feed = createFeed({ now: () => 1_800_000_000 })
const commands = createCommands({
  feed,
  workdir: folder,
  environment: { PATH: process.env.PATH ?? '' },
  limits: { concurrent: 64 },
})
const auth = expressAuth(issuer.guard, { realm: 'cmux' })
const router = routes(auth, { feed, commands })

let served: Served
let sockets: WebSocketAuth<Scope>
beforeAll(async () => {
  served = await serve(
    express()
      .use(auth.metadata())
      .use(router)
      .use(answerErrors(() => undefined)),
  )
  const made = webSocketAuth({ guard: issuer.guard, messages })
  answerMessages(made, { feed, commands })
  made.mount(served.server, '/ws')
  sockets = made
})
afterAll(async () => {
  await sockets.close({ graceMs: 0 })
  await commands.close()
  await served.close()
  await rm(folder, { recursive: true })
})

const started = async (): Promise<string> => commands.run(['sleep', '600']).id

describeRoutes(
  {
    consumer,
    routes: router.routes,
    served: () => served,
    token: issuer.token,
    samples: {
      'GET /whoami': async () => ({}),
      'GET /feed': async () => ({ path: '/feed?limit=10' }),
      'POST /feed': async () => ({ body: { text: 'a note' } }),
      'GET /commands': async () => ({}),
      'POST /commands': async () => ({ body: { argv: ['true'] } }),
      'DELETE /commands/:id': async () => ({ path: `/commands/${await started()}` }),
    },
    open: [],
  },
  { describe, it },
)

describeMessages(
  {
    consumer,
    messages,
    url: () => `${served.origin}/ws`,
    token: issuer.token,
    samples: {
      'feed.read': async () => ({}),
      'feed.post': async () => ({ text: 'a note' }),
      'command.run': async () => ({ argv: ['true'] }),
      'command.stop': async () => ({ command: await started() }),
    },
  },
  { describe, it },
)
