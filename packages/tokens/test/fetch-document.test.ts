import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { DocumentRequest, FetchDocument } from '../src/fetch-contract.ts'
import { documentsBy, fetchDocument as fetchNeutral } from '../src/fetch-document.ts'
import { fetchDocument as fetchOnNode } from '../src/node/fetch-document.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  vi.unstubAllGlobals()
  for (const end of cleanUp.splice(0).reverse()) await end()
})

async function serve(answer: RequestListener): Promise<URL> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUp.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`)
}

function ask(fetchDocument: FetchDocument, url: URL, more: Partial<DocumentRequest> = {}) {
  const signal = new AbortController().signal
  return fetchDocument({ url, signal, maxBytes: 1000, addresses: 'loopback', etag: undefined, ...more })
}

describe.each([
  ['Node’s client', fetchOnNode],
  ['fetch', fetchNeutral],
])('a document through %s', (_name, fetchDocument) => {
  it('comes with what says how long it holds', async () => {
    const headers = { 'cache-control': 'max-age=60', age: '7', etag: '"a"' }
    const url = await serve((_request, response) => response.writeHead(200, headers).end('{"å":1}'))
    expect(await ask(fetchDocument, url)).toEqual({
      ok: true,
      status: 200,
      text: '{"å":1}',
      cacheControl: 'max-age=60',
      age: '7',
      etag: '"a"',
    })
  })

  it('comes without, where nothing is said', async () => {
    const url = await serve((_request, response) => response.end())
    const nothing = { cacheControl: undefined, age: undefined, etag: undefined }
    expect(await ask(fetchDocument, url)).toEqual({ ok: true, status: 200, text: '', ...nothing })
  })

  it('is asked for as a key set, and with the etag where there is one', async () => {
    const asked: (string | undefined)[] = []
    const url = await serve(({ headers }, response) => {
      asked.push(headers.accept, headers['if-none-match'])
      response.writeHead(headers['if-none-match'] === '"a"' ? 304 : 200, { etag: '"a"' }).end()
    })
    expect(await ask(fetchDocument, url)).toMatchObject({ ok: true, status: 200 })
    expect(await ask(fetchDocument, url, { etag: '"a"' })).toMatchObject({
      ok: true,
      status: 304,
      text: '',
      etag: '"a"',
    })
    const accept = 'application/jwk-set+json, application/json'
    expect(asked).toEqual([accept, undefined, accept, '"a"'])
  })

  it.each([
    [1000, { ok: true, status: 200, text: 'x'.repeat(1000) }],
    [1001, { ok: false, reason: 'too_large' }],
  ])('of %i bytes is read within the bounds', async (bytes, expected) => {
    const url = await serve((_request, response) => {
      response.write('x'.repeat(500))
      setImmediate(() => response.end('x'.repeat(bytes - 500)))
    })
    expect(await ask(fetchDocument, url)).toMatchObject(expected)
  })

  it.each([
    [404, { ok: false, reason: 'status', status: 404 }],
    [301, { ok: false, reason: 'redirect', status: 301 }],
    [204, { ok: false, reason: 'status', status: 204 }],
  ])('is none where the answer is %i', async (status, expected) => {
    const url = await serve((_request, response) => response.writeHead(status, { location: '/other' }).end())
    expect(await ask(fetchDocument, url)).toEqual(expected)
  })

  it('is none where nobody listens, or where it was called off', async () => {
    const url = await serve(() => {})
    const abort = new AbortController()
    const asking = ask(fetchDocument, url, { signal: abort.signal })
    abort.abort()
    expect(await asking).toEqual({ ok: false, reason: 'network' })
    expect(await ask(fetchDocument, new URL('http://127.0.0.1:1/'))).toEqual({ ok: false, reason: 'network' })
    // Nor where it was called off before it began.
    expect(await ask(fetchDocument, url, { signal: abort.signal })).toEqual({ ok: false, reason: 'network' })
  })

  it('may arrive in the middle of a character', async () => {
    const tree = Buffer.from('🌲')
    const url = await serve((_request, response) => {
      response.write(tree.subarray(0, 2))
      setTimeout(() => response.end(tree.subarray(2)), 20)
    })
    expect(await ask(fetchDocument, url)).toMatchObject({ ok: true, text: '🌲' })
  })
})

describe('Node’s client', () => {
  it('goes to no address that is not allowed', async () => {
    const url = await serve((_request, response) => response.end('{}'))
    url.hostname = 'localhost'
    const refused = { ok: false, reason: 'refused_address' }
    expect(await ask(fetchOnNode, url, { addresses: 'public' })).toEqual(refused)
    expect(await ask(fetchOnNode, url, { addresses: 'any' })).toMatchObject({ ok: true, text: '{}' })
  })

  it('takes no answer for whole that was cut off', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('{}')
      setImmediate(() => response.destroy())
    })
    expect(await ask(fetchOnNode, url)).toEqual({ ok: false, reason: 'network' })
  })

  it('ends the connection when it has seen enough', async () => {
    let closed: Promise<unknown> | undefined
    const url = await serve((request, response) => {
      closed = once(request.socket, 'close')
      response.writeHead(500)
      response.write('x')
    })
    expect(await ask(fetchOnNode, url)).toMatchObject({ reason: 'status' })
    await closed
  })

  it('sends no more headers than these, and takes 16 KiB of them at most', async () => {
    let headers: Record<string, unknown> = {}
    const url = await serve((request, response) => {
      headers = request.headers
      response.setHeader('x', 'x'.repeat(17_000)).end()
    })
    expect(await ask(fetchOnNode, url)).toEqual({ ok: false, reason: 'network' })
    expect(headers).toEqual({
      accept: 'application/jwk-set+json, application/json',
      'accept-encoding': 'identity',
      host: url.host,
      connection: 'close',
    })
  })
})

describe('fetch', () => {
  const url = new URL('https://auth.example.com/jwks.json')
  const answering = (response: unknown): FetchDocument => documentsBy(async () => response as Response)

  it('is asked to follow nothing, to send nothing of its user, and to keep nothing', async () => {
    const asked = vi.fn(async (_url: unknown, _init?: RequestInit) => new Response('{}'))
    const { signal } = new AbortController()
    await ask(documentsBy(asked as typeof fetch), url, { signal })
    expect(asked).toHaveBeenCalledExactlyOnceWith(url, {
      signal,
      redirect: 'manual',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      headers: { accept: 'application/jwk-set+json, application/json' },
    })
  })

  it('is looked up when it is needed', async () => {
    vi.stubGlobal('fetch', async () => new Response('{"stubbed":1}'))
    expect(await ask(fetchNeutral, url)).toMatchObject({ text: '{"stubbed":1}' })
  })

  it('may answer without a body', async () => {
    const headers = new Headers()
    expect(await ask(answering({ status: 200, body: null, headers }), url)).toMatchObject({ ok: true, text: '' })
    // A browser shows nothing of a redirect that it did not follow.
    const opaque = { status: 0, type: 'opaqueredirect', body: null, headers }
    expect(await ask(answering(opaque), url)).toEqual({ ok: false, reason: 'redirect', status: 0 })
  })

  it('is told to stop where the answer is of no use', async () => {
    const stopped: string[] = []
    const body = (name: string) =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(600)),
        cancel: () => void stopped.push(name),
      })
    expect(await ask(answering(new Response(body('status'), { status: 500 })), url)).toMatchObject({ reason: 'status' })
    expect(await ask(answering(new Response(body('size'))), url)).toEqual({ ok: false, reason: 'too_large' })
    expect(stopped).toEqual(['status', 'size'])
  })

  it('reads bytes that are no UTF-8 as such, at the end too', async () => {
    const cut = Buffer.from('a🌲').subarray(0, 3)
    expect(await ask(answering(new Response(cut)), url)).toMatchObject({ text: 'a\ufffd' })
  })
})
