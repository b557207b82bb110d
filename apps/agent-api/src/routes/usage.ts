import type { Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import type { Context } from './context.ts'

const whole = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number)

const page = z.strictObject({
  after: whole.default(0),
  limit: whole.refine((limit) => limit >= 1 && limit <= 1000, 'expected 1 to 1000').default(100),
})

export function usageRoutes({ router, auth, usage }: Context): void {
  router.get('/usage', 'usage:read', (req, res) => {
    if (!isService(auth.principal(req))) throw new Problem('forbidden', 'Usage is for services, not for people.')
    const { after, limit } = Problem.parse(page, req.query)
    res.json(usage.page(after, limit))
  })
}

/** A service's own token: its subject is its client (RFC 9068 section 2.2), and nobody acts through it. */
function isService({ subject, clientId, actor }: Principal): boolean {
  return subject === clientId && actor === undefined
}
