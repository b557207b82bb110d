import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request as plain, type RequestOptions } from 'node:http'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stagesOf, wordsOf } from '../dockerfile.mjs'
import { end, hostName, password, type Stack, startStack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack?.close())

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** Through the proxy, over TLS, by the name. */
function ask(path: string, options: RequestOptions & { readonly body?: unknown } = {}): Promise<Answer> {
  const { body, headers, ...rest } = options
  const text = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port: stack.port,
      servername: hostName,
      ca: stack.ca,
      path,
      method: text === undefined ? 'GET' : 'POST',
      headers: { host: hostName, ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      agent: false,
      ...rest,
    })
    asking.on('error', reject)
    asking.on('response', (response) => {
      let received = ''
      response.on('data', (data) => {
        received += data
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: received }))
      response.on('error', reject)
    })
    asking.end(text)
  })
}

/**
 * Asked again while it cannot be served just now. An instance says so by 503 where its database or its feed's head is
 * late, as on a starved machine, and the proxy by 502 while it leaves such an instance out.
 */
async function served(path: string, options?: Parameters<typeof ask>[1]): Promise<Answer> {
  let answer: Answer | undefined
  const status = async (): Promise<number> => {
    answer = await ask(path, options)
    return answer.status
  }
  await expect.poll(status).not.toBeOneOf([502, 503])
  if (answer === undefined) throw new Error('Nothing was asked.')
  return answer
}

const signIn = (): Promise<Answer> =>
  served('/auth/sign-in', { body: { identifier: 'ada', secret: password, client_id: 'countersign-cli' } })

describe('the stack of compose.yaml, without containers', () => {
  it('answers over TLS, by either version of HTTP, with one key ring', async () => {
    const { status, body, headers } = await served('/.well-known/oauth-authorization-server')
    expect([status, JSON.parse(body).issuer]).toEqual([200, `https://${hostName}`])
    expect(headers['strict-transport-security']).toBe('max-age=31536000')
    const sets = await Promise.all(Array.from({ length: 4 }, () => served('/.well-known/jwks.json')))
    expect(new Set(sets.map((one) => one.body)).size).toBe(1)

    const session = connect(`https://127.0.0.1:${stack.port}`, { ca: stack.ca, servername: hostName })
    const stream = session.request({ ':path': '/healthz', ':authority': hostName })
    const [answer] = await new Promise<[Record<string, unknown>]>((resolve) =>
      stream.on('response', (h) => resolve([h])),
    )
    expect(answer[':status']).toBe(200)
    session.close()
  })

  it('answers nobody who asks for another name, and sends plain HTTP to TLS', async () => {
    await expect(ask('/healthz', { headers: { host: 'evil.example.com' } })).rejects.toThrow()
    const headers = { host: hostName }
    const moved = await new Promise<Answer['headers']>((resolve, reject) => {
      const asking = plain({ host: '127.0.0.1', port: stack.plainPort, path: '/a?b=c', headers, agent: false })
      asking.on('error', reject).on('response', (response) => {
        response.resume()
        resolve({ status: response.statusCode, location: response.headers.location })
      })
      asking.end()
    })
    expect(moved).toEqual({ status: 308, location: `https://${hostName}/a?b=c` })
  })

  it('counts failures by the address that the proxy saw, whatever the caller says', async () => {
    // Another loopback address than the proxy's own.
    const from = { localAddress: '127.0.0.2', headers: { 'x-forwarded-for': '203.0.113.9' } }
    const body = { identifier: 'ada', secret: 'wrong', client_id: 'countersign-cli' }
    expect((await served('/auth/sign-in', { body, ...from })).status).toBe(400)
    const logs = (): string => stack.instances.map((instance) => instance.log()).join('')
    await until(() => logs().includes('127.0.0.2'))
    expect(logs()).not.toContain('203.0.113.9')
  })

  it('lets each request land anywhere, and a revocation through at once', async () => {
    const streams = await Promise.all([openStream(), openStream()])
    // A head comes every second: a proxy that buffers would hold back dozens.
    await until(() => streams.every(({ text }) => text().includes('data:')))

    const signedIn = await signIn()
    expect(signedIn.status).toBe(200)
    const { access_token: token, refresh_token: refreshToken } = JSON.parse(signedIn.body)
    for (let turn = 0; turn < 4; turn++) {
      const status = await served('/auth/status', { headers: { authorization: `Bearer ${token}` } })
      expect(JSON.parse(status.body)).toMatchObject({ state: 'signed-in' })
    }
    expect(refreshToken).toEqual(expect.any(String))
    const sid = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).sid
    stack.command('sessions', 'revoke', sid)
    await until(() => streams.every(({ text }) => text().includes(sid)))
    for (const { close } of streams) close()
  })

  it('goes on with one instance when the other is killed', async () => {
    const [one, two] = stack.instances
    if (one === undefined || two === undefined) throw new Error('There are no two instances.')
    await end(one.process, 'SIGKILL')
    // What needs neither the database nor a fresh feed is answered each time, also where the dead one is tried.
    let statuses = await healthOfTwenty()
    while (statuses === 'left out') statuses = await healthOfTwenty()
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect((await served('/readyz')).status).toBe(200)
    expect((await signIn()).status).toBe(200)
  })

  it('is well by the check of the image, and ends in time when told', async () => {
    const two = stack.instances[1]
    if (two === undefined) throw new Error('There is no second instance.')
    const dockerfile = fileURLToPath(new URL('../Dockerfile', import.meta.url))
    const last = stagesOf(readFileSync(dockerfile, 'utf8')).at(-1)
    const [, ...words] = last === undefined ? [] : wordsOf(last, 'HEALTHCHECK')
    const check = (port: string): unknown =>
      execFileSync(process.execPath, words, { env: { COUNTERSIGN_PORT: port }, stdio: 'pipe' })
    check(new URL(two.url).port)
    expect(await end(two.process)).toBe(0)
    expect(() => check(new URL(two.url).port)).toThrow()
    expect((await ask('/readyz')).status).toBe(502)
  })
})

/** Of twenty requests at once, unless the proxy was just leaving out the living instance for a 503 of before. */
async function healthOfTwenty(): Promise<readonly number[] | 'left out'> {
  const from = stack.proxyLog().length
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/healthz')))
  // Its log comes another way than its answers.
  await new Promise((resolve) => setImmediate(resolve))
  if (stack.proxyLog().slice(from).includes('no live upstreams')) return 'left out'
  return answers.map(({ status }) => status)
}

function openStream(): Promise<{ text(): string; close(): void }> {
  let received = ''
  return new Promise((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port: stack.port,
      servername: hostName,
      ca: stack.ca,
      path: '/revocations/stream',
      headers: { host: hostName },
      agent: false,
    })
    asking.on('error', reject)
    asking.on('response', (response) => {
      response.on('error', () => {})
      response.on('data', (data) => {
        received += data
      })
      resolve({ text: () => received, close: () => asking.destroy() })
    })
    asking.end()
  })
}

const until = (holds: () => boolean): Promise<void> => expect.poll(holds, { interval: 20 }).toBe(true)
