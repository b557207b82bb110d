import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readConfig, startCmux } from '../src/index.ts'
import { type Bench, password, startBench } from './fixtures.ts'

let folder: string
let files: { CMUX_TLS_CERT: string; CMUX_TLS_KEY: string }
let bench: Bench
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cmux-tls-'))
  files = { CMUX_TLS_CERT: join(folder, 'cert.pem'), CMUX_TLS_KEY: join(folder, 'key.pem') }
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', files.CMUX_TLS_KEY]
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...subject, ...key, '-out', files.CMUX_TLS_CERT], {
    stdio: 'ignore',
  })
  bench = await startBench(files)
})
afterAll(async () => {
  await bench.close()
  rmSync(folder, { recursive: true })
})

function send(path: string, options: RequestOptions, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${bench.url}${path}`, { ca: readFileSync(files.CMUX_TLS_CERT), ...options }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.on('upgrade', (_response, socket) => {
      socket.destroy()
      resolve({ status: 101, text: '' })
    })
    sent.end(body)
  })
}

it('speaks https and wss with a certificate, and tokens name that address', async () => {
  expect(bench.cmux.publicUrl).toBe(bench.url)
  expect(bench.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  const headers = { 'content-type': 'application/json', origin: bench.url }
  const { status, text } = await send('/auth/sign-in', { method: 'POST', headers }, JSON.stringify({ password }))
  expect(status).toBe(200)
  const { access_token: token } = JSON.parse(text)
  expect(JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).iss).toBe(bench.url)
  expect((await send('/whoami', { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  expect((await send('/ws', { headers: { ...upgrade, origin: bench.url } })).status).toBe(101)
  // The same host over plain http is another origin.
  expect((await send('/ws', { headers: { ...upgrade, origin: bench.url.replace('https', 'http') } })).status).toBe(403)
})

it('does not start without the files that it was told of, or without the folder', async () => {
  const base = { CMUX_PORT: '0', CMUX_DATA_DIR: join(folder, 'data'), CMUX_WORKDIR: folder }
  for (const [variables, line] of [
    [{ ...files, CMUX_TLS_KEY: join(folder, 'none.pem') }, /^CMUX_TLS_KEY: .*none\.pem cannot be read \(ENOENT\)/],
    [{ CMUX_WORKDIR: files.CMUX_TLS_KEY }, /^CMUX_WORKDIR: .* is no folder/],
  ] as const) {
    await expect(startCmux(readConfig({ ...base, ...variables }), password)).rejects.toMatchObject({
      lines: [expect.stringMatching(line)],
    })
  }
})
