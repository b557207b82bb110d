import type { Guard } from '@countersign/guard'
import { admitRequest, challenge } from '@countersign/guard/http'

/** What stands in `middleware.ts` (`proxy.ts` from Next.js 16 on): no request without an accepted token gets further. */
export const config = { matcher: '/api/:path*' }

export function createMiddleware(guard: Guard) {
  return async function middleware(request: Request): Promise<Response | undefined> {
    const decision = await admitRequest(guard, request)
    if (decision.admitted) return undefined
    const { status, headers, body } = challenge(decision)
    return Response.json(body, { status, headers })
  }
}
