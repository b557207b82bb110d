import type { FakeClerk } from '@countersign/clerk-convex/testing'
import express, { type Express } from 'express'
import { z } from 'zod'

const asked = z.union([
  z.strictObject({ clerk: z.enum(['up', 'down']) }),
  z.strictObject({ session: z.string().max(64), provedMinutesAgo: z.number().int().min(0).max(1_440) }),
])

/** What only a stand-in can do: break Clerk, and let a proof of who somebody is grow old. For this page alone. */
export function serveControls(app: Express, clerk: FakeClerk, origin: () => string): void {
  app.post('/stand', express.json({ limit: '1kb' }), (req, res) => {
    if (req.headers.origin !== origin()) return void res.sendStatus(403)
    const { data } = asked.safeParse(req.body)
    if (data === undefined) return void res.sendStatus(400)
    if ('clerk' in data) clerk.setOutage(data.clerk === 'down' ? 'drop' : undefined)
    else if (clerk.world.sessions.has(data.session)) clerk.world.proveSession(data.session, data.provedMinutesAgo)
    else return void res.sendStatus(404)
    res.sendStatus(204)
  })
}
