import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, type Service, startService } from './service.ts'

let service: Service
let auth: string
beforeAll(async () => {
  service = await startService()
  const { secret } = await service.client({ name: 'etl' })
  auth = basic('etl', secret)
})
afterAll(() => service.close())

/** Sends bytes as they are and returns what comes back until the other side hangs up, or `until` is seen. */
function raw(bytes: string | Buffer, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (until?.test(text) === true) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
const body = 'grant_type=client_credentials'
const head = (...lines: string[]): string =>
  ['POST /oauth/token HTTP/1.1', 'Host: x', 'Content-Type: application/x-www-form-urlencoded', ...lines, '', ''].join(
    '\r\n',
  )
const works = async () =>
  (await service.post('/oauth/token', { grant_type: 'client_credentials' }, { authorization: auth })).status

describe('the HTTP face, against what it is sent', () => {
  it('refuses two Authorization headers, which Node would take the first of', async () => {
    const text = await raw(
      head(`Authorization: ${auth}`, `authorization: ${auth}`, `Content-Length: ${body.length}`, 'Connection: close') +
        body,
    )
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toContain('"invalid_request"')
  })

  it('refuses two content types', async () => {
    const text = await raw(
      head(
        'Content-Type: application/json',
        `Authorization: ${auth}`,
        `Content-Length: ${body.length}`,
        'Connection: close',
      ) + body,
    )
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
  })

  it.each([
    ['Content-Length beside Transfer-Encoding', head('Content-Length: 4', 'Transfer-Encoding: chunked')],
    ['two lengths', head('Content-Length: 4', 'Content-Length: 5')],
    ['a length that is no number', head('Content-Length: 4x')],
    ['a chunk size that is no number', `${head('Transfer-Encoding: chunked')}zz\r\n`],
  ])('sees nothing of a request with %s', async (_what, text) => {
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await works()).toBe(200)
  })

  it('takes a chunked body', async () => {
    const text = await raw(
      `${head(`Authorization: ${auth}`, 'Transfer-Encoding: chunked', 'Connection: close')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('takes the absolute form of a target', async () => {
    const text = await raw('GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).not.toContain('evil')
  })

  it('has no TRACE', async () => {
    for (const path of ['/oauth/token', '/healthz']) {
      const text = await raw(`TRACE ${path} HTTP/1.1\r\nHost: x\r\nX-Secret: seen\r\nConnection: close\r\n\r\n`)
      expect(text).toMatch(/^HTTP\/1\.1 405 /)
      expect(text).not.toContain('seen')
    }
  })

  it('stops reading a chunked body past 16 KiB, and hangs up', async () => {
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`
    const text = await raw(head(`Authorization: ${auth}`, 'Transfer-Encoding: chunked') + chunk.repeat(20))
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toMatch(/connection: close/i)
    expect(await works()).toBe(200)
  })

  it('does not unpack a compressed body', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    const text = await raw(
      Buffer.concat([
        Buffer.from(head('Content-Encoding: gzip', `Content-Length: ${Math.min(bomb.length, 16_000)}`)),
        bomb.subarray(0, 16_000),
      ]),
    )
    expect(text).toMatch(/^HTTP\/1\.1 415 /)
  })

  it('leaves nothing running when the sender goes away in the middle', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () => {
        socket.write(`${head(`Authorization: ${auth}`, 'Content-Length: 1000')}grant_type=`, () => socket.destroy())
      })
      socket.on('close', () => resolve())
    })
    expect(await works()).toBe(200)
    expect(service.events.filter(({ type }) => type === 'fault')).toEqual([])
  })

  it('is closed on a sender who never finishes, by the limits of its server, while others are served', async () => {
    const slow = raw(`${head(`Authorization: ${auth}`, 'Content-Length: 1000')}grant`)
    expect(await works()).toBe(200)
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /)
    expect(service.events.filter(({ type }) => type === 'fault')).toEqual([])
  })

  it('answers two requests of one connection in order', async () => {
    const request = `${head(`Authorization: ${auth}`, `Content-Length: ${body.length}`)}${body}`
    const text = await raw(
      request + request.replace('/oauth/token', '/oauth/nowhere'),
      /HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 404 /,
    )
    expect(text).toMatch(/HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 404 /)
  })
})
