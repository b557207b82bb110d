import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Makes a certificate for 127.0.0.1, which is its own authority, in `directory`. */
export async function makeCertificate(directory: string): Promise<string> {
  const certificate = join(directory, 'front.crt')
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'],
    ...['-keyout', join(directory, 'front.key'), '-out', certificate, '-days', '20000'],
    ...['-subj', '/CN=verifier rig', '-addext', 'subjectAltName=IP:127.0.0.1'],
  ])
  return certificate
}

export interface TlsFront {
  readonly origin: string
  close(): Promise<void>
}

/** The same server over https, for verifiers that read nothing else; it adds no header and keeps nothing. */
export async function startTlsFront(directory: string, target: string): Promise<TlsFront> {
  const [cert, key] = await Promise.all(['front.crt', 'front.key'].map((name) => readFile(join(directory, name))))
  const server = createServer({ ...(cert && { cert }), ...(key && { key }) }, (incoming, response) => {
    const headers = { ...incoming.headers, host: new URL(target).host }
    const forwarded = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    forwarded.on('error', () => response.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    origin: `https://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
