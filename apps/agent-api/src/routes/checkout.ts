import { jsonBody, Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import { plans } from '../checkout.ts'
import type { Context } from './context.ts'

const order = z.strictObject({
  order: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"'),
  plan: z.enum(Object.keys(plans) as [keyof typeof plans]),
})

export function checkoutRoutes({ router, checkout }: Context): void {
  router.post('/checkout', 'jobs:run', ...jsonBody(), async (req, res) => {
    const wanted = Problem.parse(order, req.body)
    // The guard admitted exactly one token, from this header.
    const token = req.get('authorization')?.slice('Bearer '.length).trim() ?? ''
    const job = await checkout.bill(token, wanted)
    res.status(202).json({ job: job.id, state: job.state })
  })
}
