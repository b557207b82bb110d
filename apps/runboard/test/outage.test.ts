import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { type Stand, startStand } from '../src/stand/start-stand.ts'
import { type BoardPage, boardPage } from './board-page.ts'

/** Long enough to be renewed in peace on a busy machine, short enough to wait for its end. */
const tokenLifeSeconds = 15

vi.spyOn(console, 'warn').mockReturnValue()
let stand: Stand
let browser: Browser
let opened: OpenPage
let board: BoardPage
beforeAll(async () => {
  ;[stand, browser] = await Promise.all([startStand({ tokenLifeSeconds }), startChromium()])
})
afterAll(async () => {
  await browser?.close()
  await stand?.close()
})
beforeEach(async () => {
  opened = await openPage(browser, stand.url)
  board = boardPage(opened.page)
  await board.signIn()
  await board.run('test website').waitFor()
})
afterEach(async () => {
  stand.clerk.setOutage(undefined)
  stand.convex.setOutage(false)
  expect(opened.complaints).toEqual([])
  await opened.close()
})

it('keeps what it shows while Clerk is down, refuses to change it, and goes on by itself', async () => {
  const { page, run, shows } = board
  await page.evaluate(() => Object.assign(globalThis, { loadedOnce: true }))
  stand.clerk.setOutage('drop')
  await shows('Out of touch')
  expect(await page.getByRole('alert').textContent()).toContain('nothing can be changed until Clerk is back')
  await run('test website').waitFor()
  await page.getByLabel('Task').fill('in the dark')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await board.notice('Not sent')
  stand.clerk.setOutage(undefined)
  await shows('Live')
  await page.locator('#banner').waitFor({ state: 'hidden' })
  // It was refused, not kept for later.
  expect(await run('in the dark').count()).toBe(0)
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await run('in the dark').waitFor()
  expect(await page.evaluate(() => 'loadedOnce' in globalThis)).toBe(true)
})

it('goes on without Convex, and when it is back', async () => {
  stand.convex.setOutage(true)
  await board.shows('Reconnecting…')
  await board.run('test website').waitFor()
  stand.convex.setOutage(false)
  await board.shows('Live')
  await board.start('after the storm')
  opened.forgive(/WebSocket|reconnect/)
})
