// Stands before two instances as a proxy would: asks the other one when one is away or says that it is not ready.

import { once } from 'node:events'
import { request as ask, createServer } from 'node:http'

const longestBody = 1_048_576

/** @param {number[]} ports of the instances on 127.0.0.1 */
export async function startBalancer(ports) {
  let turn = 0
  const server = createServer(async (request, response) => {
    const parts = []
    let bytes = 0
    for await (const part of request) {
      bytes += part.length
      if (bytes > longestBody) return response.writeHead(413).end()
      parts.push(part)
    }
    turn += 1
    const order = ports.map((_, i) => ports[(turn + i) % ports.length])
    for (const [i, port] of order.entries()) {
      if (await forward(request, Buffer.concat(parts), response, port, i < order.length - 1)) return
    }
    if (!response.headersSent) response.writeHead(502)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/**
 * @param {import('node:http').IncomingMessage} from
 * @param {Buffer} body
 * @param {import('node:http').ServerResponse} to
 * @param {number} port
 * @param {boolean} mayPass whether another instance is left to ask
 * @returns {Promise<boolean>} whether it was answered
 */
function forward(from, body, to, port, mayPass) {
  const { method, url: path, headers } = from
  return new Promise((resolve) => {
    const asked = ask(
      { host: '127.0.0.1', port, method, path, headers: { ...headers, connection: 'close' } },
      (answer) => {
        if (mayPass && (answer.statusCode === 503 || answer.statusCode === 502)) {
          answer.resume()
          return resolve(false)
        }
        to.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(to)
        answer.once('error', () => to.destroy())
        resolve(true)
      },
    )
    to.once('close', () => asked.destroy())
    asked.once('error', () => resolve(to.headersSent))
    asked.end(body)
  })
}
