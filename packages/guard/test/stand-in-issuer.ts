import { createServer } from 'node:http'
import type { PublicJwk } from '@countersign/tokens'

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
  /** Never answers. */
  readonly hang?: boolean
}

export interface StandInIssuer {
  readonly origin: string
  /** Paths asked for, in order. */
  readonly asked: string[]
  answer(path: string, answer: Answer): void
  close(): Promise<void>
}

/** The documents that an issuer publishes, on loopback: what a path answers can be changed. */
export async function startIssuer(keys: readonly PublicJwk[]): Promise<StandInIssuer> {
  const answers = new Map<string, Answer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const answer = answers.get(path) ?? { status: 404, body: { error: 'not_found' } }
    if (answer.hang === true) return
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://127.0.0.1:${address.port}`
  answers.set('/keys', { body: { keys } })
  return {
    origin,
    asked,
    answer: (path, answer) => answers.set(path, answer),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
