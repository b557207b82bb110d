import { GraphQLObjectType, GraphQLSchema, GraphQLString, subscribe } from 'graphql'
import { type Client, createClient, makeServer } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Connection } from '../src/node/server.ts'
import { atEnd, makeGuard, makeToken, type Scope, serve, testRevocations } from './fixtures.ts'
import { frame, tcpClient } from './tcp-client.ts'

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { me: { type: GraphQLString } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      news: {
        type: GraphQLString,
        async *subscribe(_source, _args, { connection }: { connection: Connection }) {
          for (const word of ['one', 'two']) yield { news: `${word} for ${connection.principal.subject}` }
        },
      },
    },
  }),
})

/** The token where graphql-ws's clients put it: `connectionParams` of `connection_init`. */
function readToken(firstFrame: string): string | undefined {
  const { type, payload } = JSON.parse(firstFrame)
  return type === 'connection_init' ? payload?.token : undefined
}

async function serveGraphql() {
  const revocations = testRevocations()
  const world = await serve({
    guard: makeGuard({ revocations }),
    envelopes: { 'graphql-transport-ws': { readToken } },
  })
  const graphql = makeServer<Record<string, unknown>, { connection: Connection<Scope> }>({
    schema,
    subscribe,
    // The test runner and Node load two copies of graphql, and one's schema is not the other's.
    validate: () => [],
    context: (context) => ({ connection: context.extra.connection }),
  })
  world.sockets.onConnection((connection) => {
    let onMessage: (data: string) => Promise<void> = async () => {}
    const closed = graphql.opened(
      {
        protocol: connection.protocol,
        send: (data) => void connection.sendFrame(data),
        close: (code = 1000, reason) => connection.close(code >= 4000 ? code : 1000, reason),
        onMessage: (call) => {
          onMessage = call
        },
      },
      { connection },
    )
    connection.onFrame((text) => void onMessage(String(text)))
    connection.onClose((code) => void closed(code))
  })
  return { ...world, revocations }
}

function graphqlClient(url: string, token: string): { client: Client; closed: Promise<number> } {
  let onClosed: (code: number) => void = () => {}
  const closed = new Promise<number>((resolve) => {
    onClosed = resolve
  })
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { token },
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => {},
    on: { closed: (event) => onClosed((event as { code: number }).code) },
  })
  atEnd(() => client.dispose())
  return { client, closed }
}

describe('graphql-ws over raw frames', () => {
  it('subscribes with a token in its own first message', async () => {
    const { url } = await serveGraphql()
    const { client } = graphqlClient(url, makeToken())
    const got: unknown[] = []
    for await (const { data } of client.iterate({ query: 'subscription { news }' })) got.push(data?.news)
    expect(got).toEqual(['one for ada', 'two for ada'])
  })

  it('loses its connection when the token is revoked', async () => {
    const { url, revocations, sockets } = await serveGraphql()
    const { closed } = graphqlClient(url, makeToken())
    await expect.poll(() => [...sockets.connections()].length).toBe(1)
    revocations.revoke(() => true)
    expect(await closed).toBe(4431)
  })

  it('is refused with a token that is none, or without one', async () => {
    const { url, port } = await serveGraphql()
    expect(await graphqlClient(url, 'nonsense').closed).toBe(4401)
    for (const first of ['{"type":"connection_init"}', '{"type":"subscribe","id":"1"}', 'null', '{']) {
      const client = tcpClient(port, { protocol: 'graphql-transport-ws' })
      await client.status
      client.write(frame(first))
      await client.ended
      expect(client.closeCodes()).toEqual([4400])
    }
  })

  it('has the deadline and the budget of everybody', async () => {
    const { port } = await serveGraphql()
    const client = tcpClient(port, { protocol: 'graphql-transport-ws' })
    await client.status
    client.write(frame('x'.repeat(5_000_000)))
    await client.ended
    expect(client.closeCodes()).toEqual([4413])
    expect(client.received()).not.toContain('auth.required')
  })
})
