import type { RequestHandler } from 'express'

/** Nothing but what the console itself serves: no inline script or style, no frame, forms to itself only. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** For everything that a browser shows. */
export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    'Content-Security-Policy': contentSecurityPolicy,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    // With `no-referrer` a browser would leave the origin out of its own forms, which is what they are told by.
    'Referrer-Policy': 'same-origin',
    'X-Frame-Options': 'DENY',
  })
  next()
}
