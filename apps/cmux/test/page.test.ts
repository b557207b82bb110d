import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import { lowContrast } from '@countersign-tooling/chromium/contrast'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bench, otherPassword, password, startBench } from './fixtures.ts'

let bench: Bench
let browser: Browser
let opened: OpenPage
let page: Page
beforeAll(async () => {
  ;[bench, browser] = await Promise.all([startBench(), startChromium()])
})
afterAll(async () => {
  await browser?.close()
  await bench?.close()
})
beforeEach(async () => {
  opened = await openPage(browser, bench.url)
  page = opened.page
})
afterEach(async () => {
  expect(opened.complaints).toEqual([])
  await opened.close()
})

const focused = () => page.evaluate(() => document.activeElement?.id)
const live = () => page.getByRole('status').filter({ hasText: 'Live' }).waitFor()

async function signIn(withPassword = password): Promise<void> {
  await page.getByLabel('Password').fill(withPassword)
  await page.keyboard.press('Enter')
  await live()
}

async function runLine(line: string): Promise<void> {
  await page.getByLabel('Run a command').fill(line)
  await page.keyboard.press('Enter')
}

it('goes by keyboard alone: from the password to a command, to stopping it, and out', async () => {
  expect(await focused()).toBe('password')
  await page.keyboard.type(password)
  await page.keyboard.press('Enter')
  await live()
  expect(await focused()).toBe('command')
  await page.keyboard.type('echo "hello from here"')
  await page.keyboard.press('Enter')
  const feed = page.getByRole('log', { name: 'Feed' })
  await feed.getByText('hello from here\n', { exact: true }).waitFor()
  await feed.getByText('done', { exact: true }).waitFor()
  expect(await focused()).toBe('command')
  await page.keyboard.press('ArrowUp')
  expect(await page.getByLabel('Run a command').inputValue()).toBe('echo "hello from here"')

  await runLine('sleep 600')
  const stop = page.getByRole('button', { name: 'Stop sleep 600' })
  await stop.waitFor()
  // Emptied once the command is accepted, when the focus is put there too.
  await expect.poll(() => page.getByLabel('Run a command').inputValue()).toBe('')
  // Backwards from the command, past nothing that has no business there.
  await page.getByLabel('Run a command').focus()
  await page.keyboard.press('Shift+Tab')
  expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Stop sleep 600')
  await page.keyboard.press('Enter')
  await feed.getByText('stopped', { exact: true }).waitFor()
  // The button is gone; the focus is not lost with it.
  expect(await focused()).toBe('feed')

  await page.getByRole('button', { name: 'Sign out' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('You are signed out.').waitFor()
  expect(await focused()).toBe('password')
})

it('tells of a wrong password beside the field, and takes the right one then', async () => {
  await page.getByLabel('Password').fill(otherPassword)
  await page.getByRole('button', { name: 'Sign in' }).click()
  const alert = page.getByRole('alert').filter({ hasText: 'That is not the password.' })
  await alert.waitFor()
  const field = page.getByLabel('Password')
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  expect(await field.getAttribute('aria-describedby')).toBe(await alert.getAttribute('id'))
  expect(await focused()).toBe('password')
  await signIn()
  expect(await field.inputValue()).toBe('')
})

it('ends the session when signing out: nothing is kept, and the token is refused', async () => {
  await signIn()
  const kept = await page.evaluate(() => sessionStorage.getItem('cmux-session'))
  const { token } = JSON.parse(kept ?? '{}')
  expect((await bench.as(token).get('/whoami')).status).toBe(200)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()
  expect(await page.evaluate(() => sessionStorage.length + localStorage.length + document.cookie.length)).toBe(0)
  await expect.poll(async () => (await bench.as(token).get('/whoami')).status).toBe(401)
  await page.reload()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
})

it('stays signed in over a reload, with the feed as it was, and not in another tab', async () => {
  await signIn()
  await runLine('echo before-the-reload')
  await page.getByRole('log').getByText('before-the-reload\n', { exact: true }).waitFor()
  await page.reload()
  await live()
  await page.getByRole('log').getByText('before-the-reload\n', { exact: true }).waitFor()
  const other = await page.context().newPage()
  await other.goto(bench.url)
  await other.getByLabel('Password').waitFor()
})

it('asks for the password again when the session is ended elsewhere, or the token was no good', async () => {
  await signIn()
  const { token } = JSON.parse((await page.evaluate(() => sessionStorage.getItem('cmux-session'))) ?? '{}')
  await bench.as(token).post('/auth/sign-out', {})
  await page.getByText('Your sign-in has ended.').waitFor()
  expect(await focused()).toBe('password')
  expect(await page.locator('#feed').textContent()).toBe('')

  // A tab that slept since, and one whose token somebody changed.
  for (const bad of [token, `${token.slice(0, -6)}AAAAAA`]) {
    await page.evaluate(
      (kept) => sessionStorage.setItem('cmux-session', kept),
      JSON.stringify({ token: bad, scopes: ['admin', 'service'], expiresAt: Math.floor(Date.now() / 1000) + 600 }),
    )
    await page.reload()
    await page.getByText('Your sign-in has ended.').waitFor()
  }
  // And one whose 7 days are over: it is not even tried.
  await page.evaluate(
    (kept) => sessionStorage.setItem('cmux-session', kept),
    JSON.stringify({ token, scopes: ['service'], expiresAt: 1 }),
  )
  await page.reload()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0)
})

it('shows the feed without a way to run anything when that was not asked for', async () => {
  await page.getByLabel('I want to run commands').uncheck()
  await signIn()
  expect(await page.getByLabel('Run a command').isVisible()).toBe(false)
  await page.getByText('This sign-in may read the feed.').waitFor()
  await bench.as(await bench.signIn()).post('/feed', { text: 'worker-1: <b>done</b> & well' })
  await page.getByRole('log').getByText('worker-1: <b>done</b> & well').waitFor()
})

it('takes output for text, whatever it says', async () => {
  await signIn()
  await runLine(`echo '<img src=x onerror=alert(1)><script>alert(2)</script>'`)
  await page.getByRole('log').locator('pre').getByText('<img src=x onerror=alert(1)>').waitFor()
  expect(await page.locator('#feed img, #feed script').count()).toBe(0)
  await runLine('echo "not closed')
  await page.getByRole('alert').filter({ hasText: 'is not closed' }).waitFor()
})

it('runs no script but its own: an inline one is refused by the policy', async () => {
  const ran = await page.evaluate(() => {
    const script = document.createElement('script')
    let refused = ''
    try {
      script.text = 'globalThis.planted = true'
    } catch (error) {
      refused = String(error)
    }
    document.head.append(script)
    return { planted: 'planted' in globalThis, refused }
  })
  expect(ran).toEqual({ planted: false, refused: expect.stringContaining('TrustedScript') })
  opened.forgive(/TrustedScript|Content Security Policy/)
})

it('can be read in either scheme: contrast of at least 4.5 for every text', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    if (await page.getByLabel('Password').isVisible()) {
      expect(await lowContrast(page)).toEqual([])
      await signIn()
      await runLine('ls no-such-file')
      await page.getByRole('log').getByText('exit code 2', { exact: true }).first().waitFor()
    }
    expect(await lowContrast(page)).toEqual([])
  }
})

it('connects again by itself when cmux was restarted, and goes on where it was', async () => {
  await signIn()
  await runLine('echo of-the-first-life')
  await page.getByRole('log').getByText('of-the-first-life\n', { exact: true }).waitFor()
  await bench.restart()
  // The new start has a new feed; until it came, what says that this is live is of the first connection.
  await page.getByRole('log').getByText('of-the-first-life\n', { exact: true }).waitFor({ state: 'detached' })
  await live()
  await runLine('echo of-the-second-life')
  await page.getByRole('log').getByText('of-the-second-life\n', { exact: true }).waitFor()
  // What the browser says of a server that is away for a moment.
  opened.forgive(/WebSocket connection to .* failed/)
})

it('shows a feed of any size whole, and goes on from there', async () => {
  const worker = bench.as(await bench.signIn('service'))
  for (let count = 0; count < 40; count += 1) {
    expect((await worker.post('/feed', { text: `note-${count} ${'x'.repeat(8_000)}` })).status).toBe(201)
  }
  await signIn()
  const notes = page.getByRole('log').getByText(/^note-/)
  await page
    .getByRole('log')
    .getByText(/^note-39 /)
    .waitFor()
  await worker.post('/feed', { text: 'note-40' })
  await page.getByRole('log').getByText('note-40', { exact: true }).waitFor()
  const shown = (await notes.allTextContents()).map((text) => text.split(' ')[0])
  expect(shown).toEqual(Array.from({ length: 41 }, (_, count) => `note-${count}`))
})
