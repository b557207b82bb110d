import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** Nothing of its own accord: no updates, no calls home, and no QUIC, which loopback does not speak. */
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** How long a browser may take to start, or a page to come to what is waited for: the machine may have other work. */
const patienceMs = 60_000

/** The system's Chromium, to be closed by whoever starts it. */
export function startChromium(): Promise<Browser> {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const executablePath = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file))
  if (executablePath === undefined) {
    throw new Error("There is no chromium on the PATH: `npm test` installs Debian's package.")
  }
  return chromium.launch({ executablePath, args, timeout: patienceMs })
}

export interface OpenPage {
  readonly page: Page
  /** What the page said in its console or threw. */
  readonly complaints: readonly string[]
  /** Takes away what a test meant to cause. */
  forgive(pattern: RegExp): void
  close(): Promise<void>
}

/** Opens an address with nothing kept from any other page. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // The browser's own line about a refused request; that it was refused is what a test may look at.
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  await page.goto(url)
  return {
    page,
    complaints,
    forgive(pattern) {
      complaints.splice(0, complaints.length, ...complaints.filter((text) => !pattern.test(text)))
    },
    close: () => context.close(),
  }
}
