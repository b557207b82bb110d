import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { atEnd } from './fixtures.ts'

/** A peer below any WebSocket library: it sends whatever bytes a test says, and ignores what it is told. */
export interface TcpClient {
  readonly socket: Socket
  /** Everything that came, as text of one byte a character. */
  received(): string
  /** The status of the answer to the upgrade. */
  readonly status: Promise<number>
  /** Close codes of the server's close frames. */
  closeCodes(): number[]
  write(bytes: Uint8Array): void
  readonly ended: Promise<void>
}

export interface UpgradeOptions {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly protocol?: string | undefined
  readonly method?: string
  /** What is sent in the same segment, not waiting for the answer. */
  readonly after?: Uint8Array
}

export function tcpClient(port: number, options: UpgradeOptions = {}): TcpClient {
  const { path = '/ws', headers = {}, method = 'GET' } = options
  const protocol = 'protocol' in options ? options.protocol : 'wsauth.v1'
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  const received = (): string => Buffer.concat(chunks).toString('latin1')
  socket.on('error', () => {})
  const all = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...(protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol }),
    ...headers,
  }
  const lines = Object.entries(all).filter(([, value]) => value !== '')
  const request = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  socket.write(Buffer.concat([Buffer.from(request), options.after ?? Buffer.alloc(0)]))
  const status = new Promise<number>((resolve) => {
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const line = /^HTTP\/1\.1 (\d{3})/.exec(received())?.[1]
      if (line !== undefined) resolve(Number(line))
    })
    socket.on('close', () => resolve(0))
  })
  const ended = once(socket, 'end').then(
    () => {},
    () => {},
  )
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  atEnd(() => socket.destroy())
  return {
    socket,
    received,
    status,
    closeCodes: () => {
      const bytes = Buffer.concat(chunks)
      const codes: number[] = []
      for (let at = bytes.indexOf(0x88); at >= 0; at = bytes.indexOf(0x88, at + 4))
        codes.push(bytes.readUInt16BE(at + 2))
      return codes
    },
    write: (bytes) => {
      if (!socket.destroyed) socket.write(bytes)
    },
    ended: Promise.race([ended, closed]),
  }
}

export interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly isMasked?: boolean
  readonly rsv?: number
  /** What the header claims, where that is not the truth. */
  readonly length?: number
}

/** One frame of RFC 6455 section 5.2, right or wrong. */
export function frame(payload: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = 1, fin = true, isMasked = true, rsv = 0 } = options
  const data = Buffer.from(payload)
  const length = options.length ?? data.length
  const mask = isMasked ? randomBytes(4) : Buffer.alloc(0)
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const bit = isMasked ? 0x80 : 0
  if (length < 126) head.push(bit | length)
  else if (length < 65_536) head.push(bit | 126, length >> 8, length & 255)
  else {
    const long = Buffer.alloc(8)
    long.writeBigUInt64BE(BigInt(length))
    head.push(bit | 127, ...long)
  }
  const body = isMasked ? data.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : data
  return Buffer.concat([Buffer.from(head), mask, body])
}
