import { serve, testIssuer } from '@countersign-apps/kit/testing'
import { type AgentApi, type AgentApiOptions, consumer, createAgentApi } from '../src/index.ts'

export const { issuer, jwks, guard, token: makeToken } = await testIssuer(consumer)

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export interface World extends AgentApi {
  readonly origin: string
  readonly faults: unknown[]
  call(
    method: string,
    path: string,
    options?: { token?: string | undefined; body?: unknown; raw?: RequestInit },
  ): Promise<Answer>
  close(): Promise<void>
}

export async function startApi(options: Partial<AgentApiOptions> = {}): Promise<World> {
  const faults: unknown[] = []
  const onFault = (error: unknown): void => {
    faults.push(error)
  }
  const api = createAgentApi({ guard, onFault, ...options })
  const { server, origin, close } = await serve(api.app)
  api.sockets.mount(server, '/chat')
  return {
    ...api,
    origin,
    faults,
    async close() {
      await api.sockets.close({ graceMs: 0 })
      await close()
    },
    async call(method, path, { token, body, raw } = {}) {
      const response = await fetch(origin + path, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...raw,
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
    },
  }
}
