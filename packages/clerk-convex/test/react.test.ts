import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import type { Browser, Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { clerkProvider } from '../src/auth-config/index.ts'
import { convexLoopback, type FakeClerk, fakeClerk } from '../src/testing/index.ts'

const tokenLifeSeconds = 10
const patience = { timeout: 180_000 }
const ends: (() => unknown)[] = []
let browser: Browser
let clerk: FakeClerk
let names: () => Promise<string[]>
let url: string
const opened: OpenPage[] = []

beforeAll(async () => {
  const started = startChromium()
  clerk = await fakeClerk({ tokenLifeSeconds })
  ends.push(() => clerk.close())
  // The functions of the tests trust the instance that is named there.
  process.env.TEST_CLERK_ISSUER = clerk.issuer
  const { createWorld, modules } = await import('./convex-world.ts')
  const { t } = await createWorld()
  const user = clerk.world.addUser({ email: 'ada@example.com' })
  const [first, second] = [
    clerk.world.addOrganization({ name: 'First' }),
    clerk.world.addOrganization({ name: 'Second' }),
  ]
  const ids = await t.run(async (ctx) => {
    for (const organization of [first, second]) {
      clerk.world.setMembership({ organization, user, role: 'org:admin' })
      const common = { organization: organization.id, user: user.id, role: 'admin' }
      await ctx.db.insert('authMemberships', { ...common, state: 'active', changedAt: 1 })
    }
    const add = (orgId: string, name: string) => ctx.db.insert('projects', { orgId, name, budget: 1 })
    await add(first.id, 'one')
    return { second: await add(second.id, 'two') }
  })
  names = () => t.run(async (ctx) => (await ctx.db.query('projects').collect()).map(({ name }) => name))
  const auth = { providers: [clerkProvider({ issuer: clerk.issuer, jwks: clerk.jwks })] }
  const loopback = await convexLoopback(t, { auth, modules })
  ends.push(() => loopback.close())
  const code = await bundle()
  const server = createServer((request, response) => {
    const isCode = request.url === '/page.js'
    response.writeHead(200, { 'content-type': isCode ? 'text/javascript' : 'text/html; charset=utf-8' })
    response.end(
      isCode
        ? code
        : '<!doctype html><title>Page</title><body><div id="root"></div><script src="/page.js" type="module"></script>',
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const query = { clerk: clerk.issuer, convex: loopback.url, other: ids.second, second: second.id }
  url = `http://127.0.0.1:${port}/?${new URLSearchParams(query)}`
  browser = await started
})
afterEach(async () => {
  clerk.setOutage(undefined)
  for (const one of opened) {
    one.forgive(/React DevTools/)
    expect(one.complaints).toEqual([])
  }
  for (const one of opened.splice(0)) await one.close()
})
afterAll(async () => {
  await browser?.close()
  for (const end of ends.splice(0).reverse()) await end()
})

async function bundle(): Promise<string> {
  const built = await rolldown({
    input: fileURLToPath(new URL('react-page.tsx', import.meta.url)),
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"development"' } },
    onLog() {},
  })
  const { output } = await built.generate({ format: 'esm' })
  await built.close()
  return output[0].code
}

async function signedIn(): Promise<{ page: Page; forgive: OpenPage['forgive'] }> {
  const one = await openPage(browser, url)
  opened.push(one)
  const { page, forgive } = one
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'ada@example.com' }).click()
  await stateOf(page, 'signed-in')
  return { page, forgive }
}

const stateOf = (page: Page, state: string) => page.getByLabel('State').getByText(state, { exact: true }).waitFor()
const fault = (page: Page, text: string) => page.getByLabel('Fault').getByText(text, { exact: true }).waitFor()
const project = (page: Page, name: string) =>
  page.getByRole('list', { name: 'Projects' }).getByText(name, { exact: true })
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()

it('signs in, shows a live query, calls, and tells of denials, over a reload', patience, async () => {
  const { page } = await signedIn()
  await project(page, 'one').waitFor()
  await press(page, 'Rename')
  await project(page, 'one!').waitFor()
  await press(page, 'Act')
  await project(page, 'acted').waitFor()
  await press(page, 'Rename another')
  await fault(page, 'access_denied not_found')
  await page.reload()
  await stateOf(page, 'signed-in')
  await project(page, 'acted').waitFor()
})

it(
  'goes through an outage of Clerk without a reload: the last results stay, and calls fail closed',
  patience,
  async () => {
    const { page, forgive } = await signedIn()
    await project(page, 'acted').waitFor()
    await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }))
    clerk.setOutage('unavailable')
    await stateOf(page, 'degraded')
    await project(page, 'acted').waitFor()
    await press(page, 'Rename')
    await fault(page, 'no_live_token degraded')
    clerk.setOutage(undefined)
    await stateOf(page, 'signed-in')
    await press(page, 'Rename')
    await project(page, 'acted!').waitFor()
    await fault(page, 'none')
    expect(await page.evaluate(() => Reflect.get(globalThis, 'isSamePage'))).toBe(true)
    // The browser's word for an answer without headers, and Convex's client for its socket.
    forgive(/CORS policy|WebSocket reconnected/)
    expect((await names()).filter((name) => name.startsWith('acted'))).toEqual(['acted!'])
  },
)

it('switches the organisation, and signs out of both tabs', patience, async () => {
  const { page } = await signedIn()
  const tab = await page.context().newPage()
  await tab.goto(url)
  await stateOf(tab, 'signed-in')
  await project(tab, 'acted!').waitFor()
  await press(page, 'Switch')
  await project(page, 'two').waitFor()
  await stateOf(page, 'signed-in')
  await press(page, 'Sign out')
  await stateOf(page, 'signed-out')
  await stateOf(tab, 'signed-out')
  for (const one of [page, tab]) await one.getByRole('link', { name: 'Sign in' }).waitFor()
  await expect.poll(names).toContain('two')
})
