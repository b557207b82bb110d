import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pageHeaders, styleSheet } from '@countersign-apps/kit'
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
  for (const [path, file, type] of [
    ['/', 'index.html', 'html'],
    ['/assets/style.css', 'style.css', 'css'],
    ['/assets/icon.svg', 'icon.svg', 'svg'],
  ] as const) {
    const source = new URL(file, sources)
    const text = type === 'css' ? styleSheet(source) : readFileSync(source, 'utf8')
    app.get(path, (_req, res) => void res.type(type).send(text))
  }
  app.get('/assets/main.js', (_req, res) => res.sendFile('main.js', { root: bundled }))
  app.get('/config.json', (_req, res) => void res.json(config()))
}
