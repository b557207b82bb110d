import { once } from 'node:events'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { settled } from '../settled.ts'

const waiting: ServerResponse[] = []
const server = createServer((_request, response) => {
  // The head and a part at once, the rest when the test says so.
  response.write('begun')
  waiting.push(response)
})
let url: string
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

it.each([
  ['fetch', async () => await (await fetch(url)).text()],
  [
    'node:http',
    () =>
      new Promise<string>((resolve) => {
        get(url, (response) => {
          let text = ''
          response.on('data', (part) => (text += part)).on('end', () => resolve(text))
        })
      }),
  ],
])('waits for the last byte of an answer to %s', async (_how, ask) => {
  let answer = ''
  let isSettled = false
  void ask().then((text) => (answer = text))
  const settling = settled().then(() => {
    isSettled = true
  })
  await expect.poll(() => waiting).toHaveLength(1)
  expect(isSettled).toBe(false)
  waiting.pop()?.end(', ended')
  await settling
  expect(answer).toBe('begun, ended')
})

it('waits for no request that failed', async () => {
  server.once('request', (request) => request.socket.destroy())
  const failing = fetch(url, { method: 'POST' }).catch(() => 'failed')
  await settled()
  expect(await failing).toBe('failed')
  waiting.length = 0
})

it('waits for WebCrypto, and what follows from it', async () => {
  let length = 0
  const bytes = new Uint8Array(1_000_000)
  const twice = async (): Promise<void> => {
    await crypto.subtle.digest('SHA-256', bytes)
    length = (await crypto.subtle.digest('SHA-256', bytes)).byteLength
  }
  void twice()
  await settled()
  expect(length).toBe(32)
})

it('does not wait for ever', async () => {
  const asked = fetch(url).then((response) => response.text())
  await expect.poll(() => waiting).toHaveLength(1)
  await expect(settled(0)).rejects.toThrow('1 answers are still awaited')
  waiting.pop()?.end()
  await asked
  await settled()
})
