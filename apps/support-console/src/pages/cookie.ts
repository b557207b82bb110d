import type { Request, Response } from 'express'

/** The cookie of the page: a random value, which says nothing by itself. */
export interface PageCookie {
  /** Undefined if there is none, or more than one. */
  read(req: Request): string | undefined
  set(res: Response, value: string): void
  clear(res: Response): void
}

const shape = /^[\w-]{43}$/

/** Over https it is `__Host-`: of this very host, and `Secure`. Over http, on loopback only, browsers disagree on both. */
export function pageCookie(isSecure: boolean): PageCookie {
  const name = `${isSecure ? '__Host-' : ''}support-console`
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
  return {
    read(req) {
      const parts = (req.get('cookie') ?? '').split(';').map((part) => part.trim())
      const values = parts.filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(name.length + 1))
      const [value] = values
      return values.length === 1 && value !== undefined && shape.test(value) ? value : undefined
    },
    set: (res, value) => void res.append('Set-Cookie', `${name}=${value}; ${attributes}`),
    clear: (res) => void res.append('Set-Cookie', `${name}=; Max-Age=0; ${attributes}`),
  }
}
