import { createGuard } from '@countersign/guard'
import { admitRequest, challenge } from '@countersign/guard/http'
import { consumers, judge } from './judge.ts'

declare const self: ServiceWorkerGlobalScope
/** Set by whoever runs the worker, as a binding. */
declare const ISSUER: string

const guard = createGuard({ issuer: ISSUER, consumer: consumers['agent-api'] })

async function answer(request: Request): Promise<Response> {
  if (new URL(request.url).pathname === '/judge') return Response.json(await judge(await request.json()))
  const decision = await admitRequest(guard, request, ['agents:read'])
  if (decision.admitted) return Response.json({ for: decision.principal.subject })
  const { status, headers, body } = challenge(decision)
  return Response.json(body, { status, headers })
}

self.addEventListener('fetch', (event) => event.respondWith(answer(event.request)))
