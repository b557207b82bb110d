import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

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

export interface OpenPage {
  readonly page: Page
  readonly version: string
  /** What the page said in its console or threw. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

/** Opens a page on loopback, in the system's Chromium, whose scripts are these; the first one is run. */
export async function openPage(scripts: Readonly<Record<string, string>>): Promise<OpenPage> {
  const [first] = Object.keys(scripts)
  const server = createServer((request, response) => {
    const script = scripts[request.url?.slice(1) ?? '']
    response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript')
    response.end(script ?? `<!doctype html><title>edge</title><script type="module" src="/${first}"></script>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  let browser: Browser | undefined
  const close = async () => {
    await browser?.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  try {
    browser = await chromium.launch({ executablePath: findChromium(), args })
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(`http://127.0.0.1:${address.port}/`)
    return { page, version: browser.version(), complaints, close }
  } catch (error) {
    await close()
    throw error
  }
}

function findChromium(): string {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file))
  if (found === undefined) throw new Error("There is no chromium on the PATH: `npm test` installs Debian's package.")
  return found
}
