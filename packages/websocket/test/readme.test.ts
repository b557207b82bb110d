import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { connect } from '../src/client/index.ts'
import { type WebSocketAuth, webSocketAuth } from '../src/node/server.ts'
import { atEnd, connected, consumer, makeGuard, makeToken, rawClient } from './fixtures.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const [server = '', push = '', client = '', envelopes = ''] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(
  (match) => (match[1] ?? '').replaceAll(/^import .*$/gm, ''),
)

/** Runs an example as it stands there, with what it takes from elsewhere. */
function runExample(code: string, names: Record<string, unknown>, result = 'undefined'): Promise<unknown> {
  return new Function(...Object.keys(names), `return (async () => { ${code}\nreturn ${result} })()`)(
    ...Object.values(names),
  )
}

it('shows a server, a client and an envelope in its README that run together', async () => {
  const app = (_request: unknown, response: { end(text: string): void }) => response.end('app')
  const names = {
    createServer,
    webSocketAuth,
    createGuard: () => makeGuard(),
    consumers: { 'agent-api': consumer },
    app,
  }
  const answer = async ({ subject }: { subject: string }, { text }: { text: string }) => `${subject} said ${text}`
  const made = (await runExample(server, { ...names, answer }, '{ server, sockets }')) as {
    server: ReturnType<typeof createServer>
    sockets: WebSocketAuth
  }
  await new Promise<void>((resolve) => made.server.listen(0, '127.0.0.1', resolve))
  const { port } = made.server.address() as { port: number }
  atEnd(() => made.server.close())

  const items: unknown[] = []
  const states: string[] = []
  const render = (item: unknown) => items.push(item)
  const feed = {
    subscribe(call: (item: string) => void) {
      call('news')
      return () => items.push('stopped')
    },
  }
  const [onConnection = '', closing = ''] = push.split('await sockets.close')
  await runExample(onConnection, { sockets: made.sockets, feed })
  const fetchToken = async () => ({ text: async () => makeToken() })
  const shown = await runExample(
    client.replace('wss://api.example.com', `ws://127.0.0.1:${port}`),
    { connect, fetch: fetchToken, render, banner: (state: string) => states.push(state) },
    'done',
  )
  expect(shown).toBe('ada said hello')
  await expect.poll(() => items).toEqual(['news', 'stopped'])
  expect(states).toEqual(['connecting', 'ready', 'stopped'])

  const { graphql } = (await runExample(envelopes, { webSocketAuth, guard: makeGuard() }, '{ graphql }')) as {
    graphql: WebSocketAuth
  }
  graphql.mount(made.server, '/graphql')
  const raw = rawClient(`ws://127.0.0.1:${port}/graphql`, ['graphql-transport-ws'])
  const first = { type: 'connection_init', payload: { token: makeToken() } }
  raw.send(first)
  expect(await raw.next()).toEqual(first)

  const last = await connected(`ws://127.0.0.1:${port}/ws`)
  await runExample(`await sockets.close${closing}`, { sockets: made.sockets })
  expect((await last.closed).code).toBe(1001)
  await graphql.close()
})
