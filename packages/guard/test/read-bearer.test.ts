import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readBearer } from '../src/http.ts'

const token = 'eyJhbGciOiJFZERTQSJ9.e30.abc-_~+/='
const invalid = { token: undefined, invalidRequest: true }
const none = { token: undefined }

const cases: [what: string, value: string | undefined, expected: object][] = [
  ['one token', `Bearer ${token}`, { token }],
  ['the scheme in lower case', `bearer ${token}`, { token }],
  ['the scheme in capitals', `BEARER ${token}`, { token }],
  ['two spaces', `Bearer  ${token}`, { token }],
  ['no header', undefined, none],
  ['Basic credentials', 'Basic dXNlcjpwYXNz', none],
  ['Digest credentials, with commas', 'Digest username="bearer", realm="x", uri="/"', none],
  ['a token under the DPoP scheme', `DPoP ${token}`, none],
  ['a scheme that begins like Bearer', `BearerX ${token}`, none],
  ['schemes that go on like Bearer', `Bearer-${token}`, none],
  ['a scheme that ends like Bearer', `XBearer ${token}`, none],
  ['the scheme and a comma', 'Bearer, x', invalid],
  ['an empty header', '', invalid],
  ['spaces only', '  ', invalid],
  ['the scheme alone', 'Bearer', invalid],
  ['the scheme and a space', 'Bearer ', invalid],
  ['two tokens', `Bearer ${token} ${token}`, invalid],
  ['two tokens with a comma', `Bearer ${token},${token}`, invalid],
  ['two Bearer credentials', `Bearer ${token}, Bearer ${token}`, invalid],
  ['Basic and Bearer in one', `Basic dXNlcjpwYXNz, Bearer ${token}`, invalid],
  ['Basic and Bearer without a space', `Basic dXNlcjpwYXNz,Bearer ${token}`, invalid],
  ['Basic and Bearer with more of it', `Basic dXNlcjpwYXNz,   Bearer ${token}`, invalid],
  ['Basic and Bearer without a token', 'Basic dXNlcjpwYXNz, Bearer', invalid],
  ['Basic and a scheme that begins like Bearer', 'Basic dXNlcjpwYXNz, BearerX a', none],
  ['Digest with a parameter that ends like Bearer', 'Digest a="b", forbearer c', none],
  ['a quoted token', `Bearer "${token}"`, invalid],
  ['a parameter', `Bearer token=${token}!`, invalid],
  ['a tab for the space', `Bearer\t${token}`, invalid],
  ['a space after the token', `Bearer ${token} `, invalid],
  ['padding inside', 'Bearer abc=def', invalid],
  ['a letter outside ASCII', 'Bearer abcé', invalid],
  ['a line break', `Bearer ${token}\n`, invalid],
]

describe('readBearer', () => {
  it.each(cases)("reads %s from Node's headers", (_what, value, expected) => {
    expect(readBearer({ headers: value === undefined ? {} : { authorization: value } })).toEqual(expected)
  })

  it.each(cases)("reads %s from Fetch's headers", (_what, value, expected) => {
    const headers = { get: (name: string) => (name === 'authorization' ? (value ?? null) : null) }
    expect(readBearer({ headers })).toEqual(expected)
  })

  it('takes a Fetch request as it is, in which two headers have become one', () => {
    const once = new Request('https://api.example.com/agents', { headers: { Authorization: `Bearer ${token}` } })
    expect(readBearer(once)).toEqual({ token })
    once.headers.append('Authorization', `Bearer ${token}`)
    expect(readBearer(once)).toEqual(invalid)
  })

  it.each([
    '/x?access_token=abc',
    '/x?a=1&access%5ftoken=abc'.replace('%5f', '%5F'),
    '/x?access_token',
    'https://h/x?access_token=a',
    '?access_token=a',
  ])('refuses a token in the URL: %s', (url) => {
    expect(readBearer({ headers: {}, url })).toEqual(invalid)
    expect(readBearer({ headers: { authorization: `Bearer ${token}` }, url })).toEqual(invalid)
  })

  it.each(['/x', '/access_token', '/x?token=1', '/x?q=access_token', '/x?', 'access_token=a'])(
    'lets other URLs be: %s',
    (url) => {
      expect(readBearer({ headers: { authorization: `Bearer ${token}` }, url })).toEqual({ token })
    },
  )

  it('reads no cookie and no body', () => {
    const request = { headers: { cookie: `access_token=${token}` }, body: { access_token: token }, url: '/x' }
    expect(readBearer(request)).toEqual(none)
  })

  it("counts names, not values, and takes a header called get for no Fetch's", () => {
    const headers = { get: 'x', authorization: `Bearer ${token}` }
    const rawHeaders = ['Authorization', `Bearer ${token}`, 'x-a', 'authorization', 'x-authorizati', 'y']
    expect(readBearer({ headers, rawHeaders })).toEqual({ token })
    expect(readBearer({ headers, rawHeaders: [...rawHeaders, 'AUTHORIZATION', 'z'] })).toEqual(invalid)
  })

  it('refuses several headers as a list', () => {
    expect(readBearer({ headers: { authorization: [`Bearer ${token}`] } })).toEqual(invalid)
  })

  it('hands on a proof', () => {
    const headers = { authorization: `Bearer ${token}`, dpop: 'a.b.c' }
    expect(readBearer({ headers })).toEqual({ token, proof: 'a.b.c' })
    expect(readBearer({ headers: { dpop: ['a', 'b'] } })).toEqual({ token: undefined, proof: 'a, b' })
    expect(readBearer({ headers: { ...headers, authorization: 'Basic x' } })).toEqual({ ...none, proof: 'a.b.c' })
  })

  it('never reads anything but the one token of the grammar', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const found = readBearer({ headers: { authorization: `Bearer ${text}` } }).token
        expect(found === undefined || /^[A-Za-z0-9\-._~+/]+=*$/.test(found)).toBe(true)
      }),
    )
  })

  it('answers quickly, however long the header', () => {
    const start = process.cpuUsage()
    for (const value of [
      `Bearer ${'a'.repeat(100_000)}!`,
      `Bearer${' '.repeat(100_000)}!`,
      `x${', '.repeat(50_000)}`,
    ]) {
      readBearer({ headers: { authorization: value } })
    }
    expect(process.cpuUsage(start).user).toBeLessThan(1_000_000)
  })
})

/** Sends bytes to a real server, since clients would tidy them. */
async function overWire(headerLines: string[]): Promise<object> {
  let socket: Socket | undefined
  const server = createServer()
  try {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const request = new Promise<IncomingMessage>((resolve) => server.once('request', resolve))
    socket = connect(address.port, '127.0.0.1')
    socket.end(['GET /x HTTP/1.1', 'Host: x', 'Connection: close', ...headerLines, '', ''].join('\r\n'))
    return readBearer(await request)
  } finally {
    socket?.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

describe('over a real connection', () => {
  it('reads one header', async () => {
    expect(await overWire([`Authorization: Bearer ${token}`])).toEqual({ token })
  })

  it.each([
    ['the same twice', ['Authorization: Bearer a', 'Authorization: Bearer a']],
    ['Bearer, then Basic', ['Authorization: Bearer a', 'authorization: Basic b']],
    ['Basic, then Bearer', ['AUTHORIZATION: Basic b', 'Authorization: Bearer a']],
  ])('refuses two headers, of which Node keeps one: %s', async (_what, lines) => {
    expect(await overWire(lines)).toEqual(invalid)
  })
})
