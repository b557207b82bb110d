import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '../src/index.ts'

const guide = new URL('../../../docs/how-to/sign-in-from-a-browser-app.md', import.meta.url)
const origin = 'http://127.0.0.1:4620'
const secret = 'correct horse battery staple'

/** The guide's session and `call`, as a module. */
interface Page {
  signIn(identifier: string, secret: string): Promise<boolean>
  getToken(request?: { reason?: string }): Promise<string | undefined>
  signOut(): Promise<void>
  call(url: string): Promise<Response>
}

let dir: string
let service: RunningTokenService
let pages = 0
let clientId: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-browser-guide-'))
  const consumers = { 'agent-api': { scopes: ['agents:read'], obtainedBy: 'sign-in', refresh: 'cookie' } } as const
  const config = await resolveConfig(
    { issuer: 'http://127.0.0.1:4600', port: 0, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: dir },
  )
  await createDataDir(config)
  service = await startTokenService(config)
  await service.issuer.users.add({ identifier: 'ada', password: secret })
  const { client } = await service.issuer.clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
    origins: [origin],
    refreshDelivery: 'cookie',
  })
  clientId = client.id
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await service.close()
  await rm(dir, { recursive: true })
})

/** Loads the page anew: its memory is gone, the browser's cookie is not. */
async function load(): Promise<Page> {
  const [, session = '', call = ''] =
    /^```ts\n(.*?)^```$.*?^```ts\n(.*?)^```$/ms.exec(await readFile(guide, 'utf8')) ?? []
  const here = session.replace('https://auth.example.com', service.url).replace(/client_4f…/, clientId)
  const file = join(dir, `page-${++pages}.ts`)
  await writeFile(file, `${here}\n${call}`)
  return import(file)
}

/** What a browser adds: the page's origin, and the cookies where the page says `include`. */
function browse(): { readonly asked: string[] } {
  const real = globalThis.fetch
  const jar = new Map<string, string>()
  const asked: string[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('origin', origin)
    const included = init.credentials === 'include'
    if (included && jar.size > 0) headers.set('cookie', [...jar].map((pair) => pair.join('=')).join('; '))
    asked.push(new URL(url).pathname)
    const answer = await real(url, { ...init, headers })
    if (answer.headers.get('access-control-allow-origin') !== origin) throw new TypeError('CORS')
    for (const cookie of included ? answer.headers.getSetCookie() : []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    return answer
  })
  return { asked }
}

it('signs in, stays signed in over a reload, and signs out, as the guide shows', async () => {
  const { asked } = browse()
  const page = await load()
  expect(await page.getToken()).toBeUndefined()
  expect(await page.signIn('ada', 'a wrong password')).toBe(false)
  expect(await page.signIn('ada', secret)).toBe(true)
  const first = await page.getToken()
  expect(first?.split('.')).toHaveLength(3)
  expect(asked).toEqual(['/oauth/token', '/auth/sign-in', '/auth/sign-in'])

  const [one, other] = await Promise.all([page.getToken({ reason: 'rejected' }), page.getToken({ reason: 'refresh' })])
  expect(one).toBe(other)
  expect(one).not.toBe(first)
  expect(asked).toHaveLength(4)

  const reloaded = await load()
  expect(await reloaded.getToken()).toBeTypeOf('string')
  const status = await reloaded.call(`${service.url}/auth/status?client_id=${clientId}`)
  expect(await status.json()).toMatchObject({ state: 'signed-in' })

  await reloaded.signOut()
  expect(await reloaded.getToken()).toBeUndefined()
  expect(await page.getToken({ reason: 'rejected' })).toBeUndefined()
})

it('gives nobody a token that comes after the sign-out', async () => {
  browse()
  const page = await load()
  await page.signIn('ada', secret)
  const late = page.getToken({ reason: 'refresh' })
  await page.signOut()
  expect(await late).toBeUndefined()
  expect(await page.getToken()).toBeUndefined()
})
