import { fileURLToPath } from 'node:url'
import { pageFiles, pageHeaders } from '@countersign-apps/kit'
import type { Express } from 'express'

/** What the page has to know; none of it is secret. */
export interface PageConfig {
  readonly convexUrl: string
  readonly siteUrl: string
  readonly clerkUrl: string
}

const sources = new URL('../../src/web/', import.meta.url)
const bundled = fileURLToPath(new URL('../../dist/web/', import.meta.url))

/** The page and what it is made of. Everything that it shows comes from Convex, to whoever is signed in. */
export function servePage(app: Express, config: () => PageConfig): void {
  app.disable('x-powered-by')
  app.use((req, res, next) => {
    const { convexUrl, siteUrl, clerkUrl } = config()
    const connect = [convexUrl, convexUrl.replace(/^http/, 'ws'), siteUrl, clerkUrl]
    res.set({ 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' })
    pageHeaders({ forms: false, connect })(req, res, next)
  })
  app.use(pageFiles(sources))
  app.get('/assets/main.js', (_req, res) => res.sendFile('main.js', { root: bundled }))
  app.get('/config.json', (_req, res) => void res.json(config()))
}
