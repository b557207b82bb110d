import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import { lowContrast } from '@countersign-tooling/chromium/contrast'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { type Stand, startStand } from '../src/stand/start-stand.ts'
import { type BoardPage, boardPage } from './board-page.ts'

vi.spyOn(console, 'warn').mockReturnValue()
let stand: Stand
let browser: Browser
let opened: OpenPage
let page: Page
let board: BoardPage
beforeAll(async () => {
  ;[stand, browser] = await Promise.all([startStand(), startChromium()])
})
afterAll(async () => {
  await browser?.close()
  await stand?.close()
})
beforeEach(async () => {
  opened = await openPage(browser, stand.url)
  page = opened.page
  board = boardPage(page)
})
afterEach(async () => {
  expect(opened.complaints).toEqual([])
  await opened.close()
})

const turnTo = (view: string) => page.getByRole('link', { name: view, exact: true }).click()

it('signs in, starts a run that others see at once, and is still signed in after a reload', async () => {
  await board.signIn()
  const other = await openPage(browser, stand.url)
  try {
    await other.page.getByRole('link', { name: 'Sign in' }).click()
    await other.page.getByRole('button', { name: 'mia@example.com' }).click()
    await other.page.getByText('test website').waitFor()
    await board.start('make a change')
    await other.page.getByText('make a change').waitFor()
    // A member starts; only admins stop.
    expect(await other.page.getByRole('button', { name: /^Stop/ }).count()).toBe(0)
  } finally {
    await other.close()
  }
  await page.reload()
  await board.shows('Live')
  await board.run('make a change').waitFor()
  expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).toBe('[{},{}]')
})

it('asks who it is before it stops a run, where the proof is old', async () => {
  await board.signIn()
  await board.start('a long one')
  await page.getByRole('button', { name: 'Let my proof grow old' }).click()
  await board.notice('half an hour ago')
  // It is in new tokens only: those of a new page are.
  await page.reload()
  await board.run('a long one').getByRole('button', { name: /^Stop/ }).click()
  const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' })
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await board.notice('Confirm that it is you')
  await board.run('a long one').getByText('waits for a runner').waitFor()
  await board.run('a long one').getByRole('button', { name: /^Stop/ }).click()
  await dialog.getByRole('button', { name: 'It is me' }).click()
  await board.run('a long one').getByText('stopped', { exact: true }).waitFor()
  await turnTo('Audit')
  await page
    .getByRole('row', { name: /run\.stop denied: step up required you/ })
    .first()
    .waitFor()
  await page
    .getByRole('row', { name: /run\.stop allowed you/ })
    .first()
    .waitFor()
})

it('lets an admin approve and reject what is protected', async () => {
  await board.signIn()
  for (const [task, answer, becomes] of [
    ['deploy it', 'Approve', 'waits for a runner'],
    ['drop the tables', 'Reject', 'rejected'],
  ] as const) {
    await board.start(task, 'production')
    await board.run(task).getByText('waits for an approval').waitFor()
    await board
      .run(task)
      .getByRole('button', { name: `${answer} ${task}` })
      .click()
    await board.run(task).getByText(becomes, { exact: true }).waitFor()
  }
})

it('shows another organisation, and another workspace, and nothing of the last', async () => {
  await board.signIn()
  await board.run('test website').waitFor()
  await page.getByLabel('Workspace').selectOption({ label: 'Payments (private)' })
  await board.run('test payments').waitFor()
  expect(await board.run('test website').count()).toBe(0)
  await page.getByLabel('Organisation').selectOption({ label: 'Globex' })
  await board.run('test research').waitFor()
  expect(await board.run('test payments').count()).toBe(0)
  // In Globex Ada is a member: the same page offers less.
  expect(await page.getByRole('link', { name: 'Audit' }).isVisible()).toBe(false)
  expect(await page.getByRole('button', { name: /^Stop/ }).count()).toBe(0)
  await page.getByLabel('Organisation').selectOption({ label: 'Acme' })
  await board.run('test website').waitFor()
})

it('loses sight of everything when the membership ends, with a token that still lives', async () => {
  const { world } = stand.clerk
  const eve = world.addUser({ email: 'eve@example.com' })
  const acme = [...world.organizations.values()].find(({ name }) => name === 'Acme')
  if (acme === undefined) throw new Error('There is no Acme.')
  world.setMembership({ organization: acme, user: eve, role: 'org:member' })
  await stand.clerk.delivered()
  await board.signIn('eve')
  await board.run('test website').waitFor()
  world.removeMembership(acme.id, eve.id)
  await board.run('test website').waitFor({ state: 'detached' })
  await page.getByRole('alert').filter({ hasText: 'You are not a member' }).waitFor()
  world.setMembership({ organization: acme, user: eve, role: 'org:member' })
  await board.run('test website').waitFor()
})

it('signs out in every tab', async () => {
  await board.signIn()
  const second = await page.context().newPage()
  await second.goto(stand.url)
  await second.getByText('test website').waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Sign in' }).waitFor()
  await second.getByRole('link', { name: 'Sign in' }).waitFor()
  expect(await second.getByText('test website').count()).toBe(0)
  await page.reload()
  await page.getByRole('link', { name: 'Sign in' }).waitFor()
})

it('can be read in either scheme, has a name for every field, and fits a phone', async () => {
  await board.signIn()
  await board.run('test website').waitFor()
  await page.evaluate(() => {
    for (const one of document.querySelectorAll<HTMLElement>('.panel, .request, #banner, #notice')) one.hidden = false
  })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await lowContrast(page, '.skip, svg *')).toEqual([])
  }
  expect(
    await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('input, select')]
        .filter((field) => field.labels?.length !== 1)
        .map((field) => field.id),
    ),
  ).toEqual([])
  await page.setViewportSize({ width: 360, height: 740 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
})

it('takes orders for the stand-ins from its own page alone', async () => {
  const order = (headers: Record<string, string>) =>
    fetch(`${stand.url}/stand`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"clerk":"up"}',
    })
  expect((await order({})).status).toBe(403)
  expect((await order({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await order({ origin: stand.url })).status).toBe(204)
})
