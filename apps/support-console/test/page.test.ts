import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import { lowContrast } from '@countersign-tooling/chromium/contrast'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, password, startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
let browser: Browser
let opened: OpenPage
let page: Page
beforeAll(async () => {
  ;[fleet, browser] = await Promise.all([startTestFleet(), startChromium()])
})
afterAll(async () => {
  await browser?.close()
  await fleet?.close()
})
beforeEach(() => open())
afterEach(async () => {
  expect(opened.complaints).toEqual([])
  await opened.close()
})

async function open(options: { readonly javaScriptEnabled?: boolean } = {}): Promise<void> {
  opened = await openPage(browser, fleet.console, options)
  page = opened.page
}

async function signIn(name = 'olga', withPassword = password): Promise<void> {
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(withPassword)
  await page.keyboard.press('Enter')
}

async function find(user: string): Promise<void> {
  await page.getByLabel('User, or the id of a session').fill(user)
  await page.getByRole('button', { name: 'Find' }).click()
}

async function end(sid: string, why: string): Promise<void> {
  const row = page.getByRole('row').filter({ hasText: sid })
  await row.locator('summary').click()
  await row.getByLabel('Why').fill(why)
  await row.getByRole('button', { name: 'End this session' }).click()
}

const refused = (token: string) =>
  expect.poll(async () => (await fleet.call(fleet.agentApi, 'GET', '/agents', { token })).status).toBe(401)

it('ends a session, and shows the acknowledgements as they arrive', async () => {
  const token = await fleet.signIn('ada', 'agent-api')
  const sid = String(claimsOf(token).sid)
  await signIn()
  await page.getByText('Signed in as olga').waitFor()
  await find('ada')
  await end(sid, 'ticket 4711: laptop stolen')
  const section = page.getByRole('region', { name: 'A session was ended' })
  await section.getByText('ticket 4711: laptop stolen').waitFor()
  // Nobody loads the page again: it comes over the stream.
  const agentApi = section.getByRole('row', { name: /^agent-api/ })
  await agentApi.getByText('Acknowledged').waitFor()
  await section.getByRole('status').filter({ hasText: 'All 2 consumers' }).waitFor()
  expect(await agentApi.locator('.after').textContent()).toMatch(/^\d+\.\d s$/)
  await refused(token)
  await page.getByRole('row').filter({ hasText: sid }).getByText('Ended').waitFor()
})

describe('without scripts', () => {
  it('does the same, and shows what has arrived when the page is loaded', async () => {
    await opened.close()
    await open({ javaScriptEnabled: false })
    const token = await fleet.signIn('bob', 'agent-api')
    await signIn()
    await find('bob')
    await end(String(claimsOf(token).sid), 'INC-7')
    await refused(token)
    await expect
      .poll(async () => {
        await page.getByRole('link', { name: 'Look again' }).click()
        return await page
          .getByRole('row', { name: /^agent-api/ })
          .first()
          .textContent()
      })
      .toContain('Acknowledged')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

it('acts for a customer who asked, with a reason', async () => {
  const ada = await fleet.signIn('ada', 'agent-api')
  const body = { message: '<img src=x onerror=alert(1)> my chat does not load' }
  await fleet.call(fleet.agentApi, 'POST', '/chat', { token: ada, body })
  await fleet.call(fleet.agentApi, 'POST', '/support', { token: ada, body: { note: '<b>please</b> look' } })
  await signIn()
  const request = page.getByRole('listitem').filter({ hasText: '<b>please</b> look' })
  // The browser itself asks for the reason.
  await request.getByRole('button', { name: /Read conversations/ }).click()
  expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('reason')
  await request.getByLabel('Why').fill('ticket 4711: chat does not load')
  await request.getByRole('button', { name: /Read conversations/ }).click()
  const shown = page.getByRole('region', { name: /Conversations of/ })
  await shown.getByText('<img src=x onerror=alert(1)> my chat does not load', { exact: true }).waitFor()
  await shown.getByText('ticket 4711: chat does not load').waitFor()
  expect(await page.locator('main img').count()).toBe(0)
})

it('tells of a wrong password beside the field, and takes the right one then', async () => {
  await signIn('olga', 'not the password')
  const alert = page.getByRole('alert').filter({ hasText: 'Name or password is wrong.' })
  await alert.waitFor()
  const field = page.getByLabel('Password')
  expect(await field.getAttribute('aria-describedby')).toBe(await alert.getAttribute('id'))
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('password')
  expect(await page.getByLabel('Name').inputValue()).toBe('olga')
  await signIn()
  await page.getByText('Signed in as olga').waitFor()
  expect(await page.evaluate(() => document.cookie + sessionStorage.length + localStorage.length)).toBe('00')
})

it('shows an operator only what they may do', async () => {
  await signIn('reader')
  await fleet.signIn('ada', 'agent-api')
  await find('ada')
  await page.getByRole('region', { name: 'Sessions that were found' }).waitFor()
  for (const name of ['Signing keys', 'Consumers', 'Customers who ask for help']) {
    expect(await page.getByRole('heading', { name }).count()).toBe(0)
  }
  expect(await page.getByText('End', { exact: true }).count()).toBe(0)
})

it('cannot be used by another site, framed, or sent to from it', async () => {
  await signIn()
  await page.getByText('Signed in as olga').waitFor()
  const token = await fleet.signIn('ada', 'agent-api')
  const other = await page.context().newPage()
  // Another site to the browser: the same machine under another name.
  await other.goto(`${fleet.agentApi.replace('127.0.0.1', 'localhost')}/healthz`)
  await other.evaluate(
    ([url, session]) => {
      const form = document.createElement('form')
      form.method = 'post'
      form.action = `${url}/page/revoke`
      for (const [name, value] of Object.entries({ session, reason: 'forged' })) {
        const field = document.createElement('input')
        field.name = name
        field.value = String(value)
        form.append(field)
      }
      document.body.append(form)
      form.submit()
    },
    [fleet.console, String(claimsOf(token).sid)],
  )
  await other.getByText('The form did not come from this console.').waitFor()
  expect((await fleet.call(fleet.agentApi, 'GET', '/agents', { token })).status).toBe(200)
})

it('runs no script but its own', async () => {
  const ran = await page.evaluate(() => {
    const script = document.createElement('script')
    let refusal = ''
    try {
      script.text = 'globalThis.planted = true'
    } catch (error) {
      refusal = String(error)
    }
    document.head.append(script)
    return { planted: 'planted' in globalThis, refusal }
  })
  expect(ran).toEqual({ planted: false, refusal: expect.stringContaining('TrustedScript') })
  opened.forgive(/TrustedScript|Content Security Policy/)
})

it('can be read in either scheme, has a name for every field, and fits a phone', async () => {
  const token = await fleet.signIn('ada', 'agent-api')
  await fleet.call(fleet.agentApi, 'POST', '/support', { token, body: { note: 'help' } })
  expect(await lowContrast(page, '.skip, svg *')).toEqual([])
  await signIn()
  await find('ada')
  await end(String(claimsOf(token).sid), 'to see the colours')
  await page.getByRole('region', { name: 'A session was ended' }).waitFor()
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await lowContrast(page, '.skip, svg *')).toEqual([])
  }
  expect(
    await page.evaluate(() =>
      [...document.querySelectorAll('input:not([type=hidden])')]
        .filter((field) => (field as HTMLInputElement).labels?.length !== 1)
        .map((field) => field.outerHTML),
    ),
  ).toEqual([])
  await page.setViewportSize({ width: 360, height: 740 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
})
