// Thousands of WebSocket clients in one process: bare TCP with frames written beforehand, since a client library would
// take more than the servers under test.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

/** One masked frame of text. @param {string} text */
export function textFrame(text) {
  return frame(Buffer.from(text), 1)
}

/** @param {Buffer} data @param {number} opcode */
export function frame(data, opcode) {
  const mask = randomBytes(4)
  const head = data.length < 126 ? [0x80 | data.length] : [0x80 | 126, data.length >> 8, data.length & 255]
  const body = Buffer.allocUnsafe(data.length)
  for (let index = 0; index < data.length; index += 1) body[index] = (data[index] ?? 0) ^ (mask[index & 3] ?? 0)
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), mask, body])
}

const pings = /"type":"ping","n":(\d+)/g

/** Another address of 127.0.0.0/8 for every 16 sockets, so that no limit for one address is met. @param {number} index */
export function addressOf(index) {
  const group = 1 + (index >> 4)
  return `127.1.${(group >> 8) & 255}.${group & 255}`
}

/**
 * @typedef {object} LoadSocket
 * @property {import('node:net').Socket} socket
 * @property {(frame: Buffer) => void} write
 * @property {(text: string) => Promise<void>} saw resolves once the server has sent it, from now on
 * @property {Promise<void>} ended
 */

/**
 * Opens a socket and upgrades it.
 * @param {number} port
 * @param {{ index?: number, protocol?: string | undefined }} [options]
 * @returns {Promise<LoadSocket>}
 */
export async function openSocket(port, { index = 0, protocol } = {}) {
  const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(index), noDelay: true })
  socket.on('error', () => {})
  let seen = ''
  /** @type {{ text: string, resolve: () => void, reject: (fault: Error) => void } | undefined} */
  let waiting
  const look = () => {
    if (waiting === undefined || !seen.includes(waiting.text)) return
    const { resolve } = waiting
    waiting = undefined
    seen = ''
    resolve()
  }
  socket.on('data', (chunk) => {
    const text = chunk.toString('latin1')
    // As every client has to: whoever leaves a ping unanswered is closed with 4463.
    for (const [, number] of text.matchAll(pings)) socket.write(textFrame(`{"type":"pong","n":${number}}`))
    // Nobody waits: what comes is thrown away, so that the load holds nothing.
    seen = `${seen}${text}`.slice(-4096)
    look()
  })
  socket.once('close', () => waiting?.reject(new Error(`closed while ${JSON.stringify(waiting.text)} was waited for`)))
  const saw = (/** @type {string} */ text) =>
    new Promise((/** @type {(done: void) => void} */ resolve, reject) => {
      waiting = { text, resolve, reject }
      if (socket.destroyed) reject(new Error(`closed before ${JSON.stringify(text)}`))
      look()
    })
  const lines = [
    'GET /ws HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  const upgraded = saw('101 Switching Protocols')
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await upgraded
  const ended = new Promise((/** @type {(done: void) => void} */ resolve) => socket.once('close', () => resolve()))
  return { socket, saw, ended, write: (bytes) => void socket.write(bytes) }
}

/** How each kind of server is told the token, and how it says that it took it. */
export const greetings = {
  bare: {
    protocol: undefined,
    ok: 'auth.ok',
    first: (/** @type {string} */ token) => JSON.stringify({ type: 'auth', token }),
  },
  countersign: {
    protocol: 'wsauth.v1',
    ok: 'auth.ok',
    first: (/** @type {string} */ token) => JSON.stringify({ type: 'auth', token }),
  },
  'graphql-ws-jose': {
    protocol: 'graphql-transport-ws',
    ok: 'connection_ack',
    first: (/** @type {string} */ token) => JSON.stringify({ type: 'connection_init', payload: { token } }),
  },
}

/**
 * Opens a socket and presents a token.
 * @param {number} port
 * @param {keyof typeof greetings} kind
 * @param {string} token
 * @param {number} index
 */
export async function authenticate(port, kind, token, index) {
  const { protocol, ok, first } = greetings[kind]
  const opened = await openSocket(port, { index, protocol })
  const accepted = opened.saw(ok)
  opened.write(textFrame(first(token)))
  await accepted
  return opened
}

/**
 * Runs `work` for 0 to `count` − 1, so many at once.
 * @template Done
 * @param {number} count
 * @param {number} width
 * @param {(index: number) => Promise<Done>} work
 */
export async function inParallel(count, width, work) {
  /** @type {Done[]} */
  const done = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next
      next += 1
      done[index] = await work(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker))
  return done
}

/** @param {number} controlPort @param {string} path @param {unknown} [body] */
export async function ask(controlPort, path, body) {
  const response = await fetch(`http://127.0.0.1:${controlPort}${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return /** @type {any} */ (await response.json())
}
