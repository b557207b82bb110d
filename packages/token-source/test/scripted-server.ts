import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'vitest'

export interface Asked {
  readonly form: URLSearchParams
  readonly authorization: string | undefined
}

export type Reply = (asked: Asked, response: ServerResponse, turn: number) => unknown

export interface ScriptedServer {
  readonly issuer: string
  readonly asked: readonly Asked[]
  /** Paths of all requests, the metadata's too. */
  readonly paths: readonly string[]
  reply: Reply
  metadata: (issuer: string) => { status?: number; body: unknown }
  /** Nobody is answered until `open`, and every connection ends. */
  shut(): void
  open(): void
  /** Connections that were ended without a word. */
  readonly refused: number
  close(): Promise<void>
}

const open: ScriptedServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

/** An answer of the token endpoint. */
export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}

export const token = (turn: number, lifeSeconds = 600): Record<string, unknown> => ({
  access_token: `token-${turn}`,
  token_type: 'Bearer',
  expires_in: lifeSeconds,
})

/** An authorization server on loopback that answers as told. */
export async function scriptedServer(
  reply: Reply = (_asked, response, turn) => send(response, 200, token(turn)),
): Promise<ScriptedServer> {
  const asked: Asked[] = []
  const paths: string[] = []
  let isShut = false
  let refused = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    paths.push(request.url ?? '')
    if (request.method === 'GET') {
      const { status = 200, body } = server.metadata(server.issuer)
      return send(response, request.url === '/.well-known/oauth-authorization-server' ? status : 404, body)
    }
    let text = ''
    for await (const part of request) text += part
    asked.push({ form: new URLSearchParams(text), authorization: request.headers.authorization })
    await server.reply(
      asked.at(-1) ?? { form: new URLSearchParams(), authorization: undefined },
      response,
      asked.length,
    )
  }
  const listening = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy())
  })
  // It keeps its port, which nobody else may have meanwhile.
  listening.on('connection', (socket) => {
    if (!isShut) return
    refused += 1
    socket.destroy()
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  const server: ScriptedServer = {
    issuer: `http://127.0.0.1:${port}`,
    asked,
    paths,
    get refused() {
      return refused
    },
    reply,
    metadata: (issuer) => ({ body: { issuer, token_endpoint: `${issuer}/oauth/token`, response_types_supported: [] } }),
    shut() {
      isShut = true
      listening.closeAllConnections()
    },
    open() {
      isShut = false
    },
    async close() {
      listening.closeAllConnections()
      listening.close()
      await once(listening, 'close')
    },
  }
  open.push(server)
  return server
}
