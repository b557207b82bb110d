import { jsonBody, Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import { longestNote } from '../support.ts'
import type { Context } from './context.ts'

const request = z.strictObject({ note: z.string().max(longestNote).default('') })

export function supportRoutes({ router, auth, support }: Context): void {
  // Who may read their conversations may let support read them, for as long as this token lives.
  router.post('/support', 'conversations:read', ...jsonBody(), async (req, res) => {
    const { note } = Problem.parse(request, req.body)
    // The scope is one for reading, but a request for help is before operators.
    if (auth.principal(req).synthetic === true) throw new Problem('forbidden', 'A monitor asks nobody for help.')
    // The guard admitted exactly one token, from this header.
    const token = req.get('authorization')?.slice('Bearer '.length).trim() ?? ''
    const { expiresAt } = await support.ask(token, note)
    res.status(202).json({ expires_at: expiresAt })
  })
}
