import type { Guard } from '@countersign/guard'
import { admitRequest, challenge } from '@countersign/guard/http'

/** What stands in `app/api/agents/route.ts`: verifies for itself, since a middleware is no security boundary. */
export function createRoute(guard: Guard) {
  return {
    async GET(request: Request): Promise<Response> {
      const decision = await admitRequest(guard, request, ['agents:read'])
      if (decision.admitted) return Response.json({ for: decision.principal.subject })
      const { status, headers, body } = challenge(decision)
      return Response.json(body, { status, headers })
    },
  }
}
