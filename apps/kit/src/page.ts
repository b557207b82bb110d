import { readFileSync } from 'node:fs'
import { type RequestHandler, Router } from 'express'

const foundation = new URL('../src/web/base.css', import.meta.url)

/** A page's style sheet: what the pages of the apps have in common, then its own, in one answer. */
export function styleSheet(own: URL): string {
  return `${readFileSync(foundation, 'utf8')}\n${readFileSync(own, 'utf8')}`
}

/**
 * The files that a page is: its document, style and icon, as they are when the process starts. Always asked for anew,
 * since a page of before may not fit the service of now.
 *
 * @param folder where `index.html`, `style.css` and `icon.svg` are
 */
export function pageFiles(folder: URL): Router {
  const router = Router()
  for (const [path, file, type] of [
    ['/', 'index.html', 'html'],
    ['/assets/style.css', 'style.css', 'css'],
    ['/assets/icon.svg', 'icon.svg', 'svg'],
  ] as const) {
    const source = new URL(file, folder)
    const text = type === 'css' ? styleSheet(source) : readFileSync(source, 'utf8')
    router.get(path, (_req, res) => void res.set('Cache-Control', 'no-cache').type(type).send(text))
  }
  return router
}

export interface PageHeaders {
  /** Whether the page sends forms to its own origin, which is told where they came from. */
  readonly forms: boolean
  /** Origins beside its own that its scripts talk to. @default none */
  readonly connect?: readonly string[]
}

/** For everything that a browser shows: nothing but what the app itself serves, no inline script or style, no frame. */
export function pageHeaders({ forms, connect = [] }: PageHeaders): RequestHandler {
  const contentSecurityPolicy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...connect].join(' '),
    "base-uri 'none'",
    `form-action ${forms ? "'self'" : "'none'"}`,
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  return (_req, res, next) => {
    res.set({
      'Content-Security-Policy': contentSecurityPolicy,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
      // With `no-referrer` a browser would leave the origin out of its own forms, which is what they are told by.
      'Referrer-Policy': forms ? 'same-origin' : 'no-referrer',
      'X-Frame-Options': 'DENY',
    })
    next()
  }
}
