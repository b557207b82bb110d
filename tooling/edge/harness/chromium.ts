import { createServer } from 'node:http'
import { type OpenPage, openPage, startChromium } from '@countersign-tooling/chromium'
import type { Browser } from 'playwright-core'

export interface Opened extends OpenPage {
  readonly version: string
}

/** Opens a page on loopback, in the system's Chromium, whose scripts are these; the first one is run. */
export async function openScripts(scripts: Readonly<Record<string, string>>): Promise<Opened> {
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
    browser = await startChromium()
    const opened = await openPage(browser, `http://127.0.0.1:${address.port}/`)
    return { ...opened, version: browser.version(), close }
  } catch (error) {
    await close()
    throw error
  }
}
