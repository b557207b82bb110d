import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, get } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { type ListeningServer, listen } from '../src/index.ts'

let running: ListeningServer | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
})

async function start(limits: Parameters<typeof listen>[1]['limits'] = {}): Promise<ListeningServer> {
  running = await listen((_request, response) => response.end('hello'), { host: '127.0.0.1', port: 0, limits })
  return running
}

/** For `localhost` and 127.0.0.1, as openssl of the machine makes it. */
function selfSigned(): { readonly cert: Buffer; readonly key: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  try {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
    execFileSync(
      'openssl',
      ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert],
      {
        stdio: 'ignore',
      },
    )
    return { cert: readFileSync(cert), key: readFileSync(key) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Sends bytes as they are; resolves with all that came back once the server has closed. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

describe('listen', () => {
  const refused: [what: string, request: string, status: string][] = [
    [
      'Content-Length beside Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
    [
      'two different Content-Lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
      '400',
    ],
    ['a request without Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', '400'],
    ['a header that is too large', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['a line break without carriage return', 'GET / HTTP/1.1\nHost: a\n\n', '400'],
    ['a control character in a header', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\u0001b\r\nConnection: close\r\n\r\n', '400'],
  ]
  it.each(refused)('refuses %s', async (_what, request, status) => {
    const { url } = await start()
    expect(await raw(url, request)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  it('closes a client that never ends its headers, and serves others meanwhile', async () => {
    const { url } = await start({ headersTimeoutMs: 2_000, requestTimeoutMs: 3_000 })
    const slow = raw(url, 'GET / HTTP/1.1\r\nHost: a\r\nX-Drip:')
    expect(await (await fetch(url)).text()).toBe('hello')
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('closes a client that never ends its body', async () => {
    const { url } = await start({ headersTimeoutMs: 100, requestTimeoutMs: 200 })
    const answer = await raw(url, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    expect(answer).toMatch(/^HTTP\/1\.1 (200|408) /)
  })

  it('says so when the port is taken', async () => {
    const { url } = await start()
    const taken = listen(() => undefined, { host: '127.0.0.1', port: Number(new URL(url).port) })
    await expect(taken).rejects.toMatchObject({ code: 'address_unavailable' })
  })

  it('speaks TLS with a certificate of yours, and is not held up at its end by an idle connection', async () => {
    const { cert, key } = selfSigned()
    const server = await listen((_request, response) => response.end('hello'), {
      host: '127.0.0.1',
      port: 0,
      limits: { drainMs: 60_000 },
      tls: { cert, key },
    })
    expect(server.url).toMatch(/^https:/)
    const agent = new Agent({ keepAlive: true, ca: cert })
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(server.url, { agent, servername: 'localhost' }, resolve).on('error', reject)
    })
    expect(await text(answer)).toBe('hello')
    await server.close()
    agent.destroy()
  })

  it('is not held up at the end by a connection that never said anything', async () => {
    const server = await listen((_request, response) => response.end(), {
      host: '127.0.0.1',
      port: 0,
      limits: { drainMs: 60_000 },
    })
    const { hostname, port } = new URL(server.url)
    const silent = connect(Number(port), hostname)
    await once(silent, 'connect')
    const ended = once(silent, 'close')
    silent.resume()
    await server.close()
    await ended
  })

  it('lets a running request end, and cuts one that does not', async () => {
    const held: (() => void)[] = []
    const server = await listen((_request, response) => held.push(() => response.end('late')), {
      host: '127.0.0.1',
      port: 0,
      limits: { drainMs: 150 },
    })
    const ended = fetch(server.url)
    const cut = fetch(server.url)
    // Looked at below; without this the cut connection would be an unhandled rejection first.
    cut.catch(() => undefined)
    await expect.poll(() => held.length).toBe(2)
    const closing = server.close()
    held[0]?.()
    expect(await (await ended).text()).toBe('late')
    await expect(cut).rejects.toThrow()
    await closing
  })
})
