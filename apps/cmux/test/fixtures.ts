import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CmuxConfig, type RunningCmux, readConfig, startCmux } from '../src/index.ts'

export const password = 'mV6!rT9#pL2@xQ8$'
export const otherPassword = 'zN4?kB7%hW3&dF5='

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field
  readonly body: any
}

export interface Bench {
  readonly folder: string
  readonly cmux: RunningCmux
  readonly url: string
  readonly lines: string[]
  /** Starts anew over the same data, at the same port. */
  restart(withPassword?: string): Promise<void>
  request(path: string, init?: RequestInit): Promise<Answer>
  /** With a token. */
  as(token: string): { get(path: string): Promise<Answer>; post(path: string, body: unknown): Promise<Answer> }
  /** @returns the token */
  signIn(scope?: string, withPassword?: string): Promise<string>
  close(): Promise<void>
}

/** A cmux in this process, with data, a folder to work in and a port of its own. */
export async function startBench(variables: Record<string, string> = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-cmux-'))
  const lines: string[] = []
  const read = (port: number): CmuxConfig =>
    readConfig({
      PATH: process.env.PATH,
      CMUX_PORT: String(port),
      CMUX_DATA_DIR: join(folder, 'data'),
      CMUX_WORKDIR: folder,
      CMUX_LOG_LEVEL: 'debug',
      ...variables,
    })
  const start = (port: number, withPassword: string): Promise<RunningCmux> =>
    startCmux(read(port), withPassword, { logDestination: { write: (line) => lines.push(line) } })
  let cmux = await start(0, password)
  const { url } = cmux

  async function request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(url + path, { redirect: 'manual', ...init })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }
  const postJson = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    request(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    })

  return {
    folder,
    url,
    lines,
    get cmux() {
      return cmux
    },
    async restart(withPassword = password) {
      await cmux.close()
      cmux = await start(Number(new URL(url).port), withPassword)
    },
    request,
    as: (token) => {
      const headers = { authorization: `Bearer ${token}` }
      return {
        get: (path) => request(path, { headers }),
        post: (path, body) => postJson(path, body, headers),
      }
    },
    async signIn(scope, withPassword = password) {
      const { status, body } = await postJson('/auth/sign-in', {
        password: withPassword,
        ...(scope === undefined ? {} : { scope }),
      })
      if (status !== 200) throw new Error(`sign-in was answered ${status} ${JSON.stringify(body)}`)
      return body.access_token
    },
    async close() {
      await cmux.close()
      await rm(folder, { recursive: true })
    },
  }
}

export interface PlainSocket {
  send(message: unknown): void
  /** The next frame, or the close code. */
  next(): Promise<{ readonly [member: string]: unknown } | number>
  readonly closed: Promise<number>
  close(): void
}

/** A client as somebody writes it on the runtime's own WebSocket: no subprotocol, the token in the first message. */
export async function plainSocket(url: string, token: string): Promise<PlainSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`)
  const { promise: closed, resolve } = Promise.withResolvers<number>()
  const frames: ({ readonly [member: string]: unknown } | number)[] = []
  let wake = (): void => undefined
  const put = (frame: { readonly [member: string]: unknown } | number): void => {
    frames.push(frame)
    wake()
  }
  socket.addEventListener('message', ({ data }) => put(JSON.parse(String(data))))
  socket.addEventListener('close', ({ code }) => {
    put(code)
    resolve(code)
  })
  await new Promise<void>((opened, failed) => {
    socket.addEventListener('open', () => opened())
    socket.addEventListener('error', () => failed(new Error('the upgrade was refused')))
  })
  socket.send(JSON.stringify({ type: 'auth', token }))
  return {
    send: (message) => socket.send(JSON.stringify(message)),
    async next() {
      while (frames.length === 0) {
        await new Promise<void>((come) => {
          wake = come
        })
      }
      return frames.shift() ?? 0
    },
    closed,
    close: () => socket.close(),
  }
}
