import type { AuthRouter, ExpressAuth } from '@countersign/express'
import { jsonBody, Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import type { Commands } from './commands/commands.ts'
import type { Scope } from './consumer.ts'
import type { Feed } from './feed.ts'

/** One line; nothing that a terminal would take for an order. */
export const noteShape = z.strictObject({
  text: z
    .string()
    .max(8_192)
    .regex(/\S/, 'expected text')
    .regex(/^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u, 'expected text without control characters'),
})
export const commandShape = z.strictObject({ argv: z.unknown() })

/** What the largest command needs, as JSON. */
const mostBytes = 65_536

const number = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a number')
  .transform(Number)
const pageShape = z.strictObject({
  after: number.exactOptional(),
  epoch: z.string().max(64).exactOptional(),
  limit: number.pipe(z.number().min(1).max(1_000)).exactOptional(),
})

/** What programs use: the same as over the WebSocket, a request at a time. */
export function routes(
  auth: ExpressAuth<Scope>,
  { feed, commands }: { readonly feed: Feed; readonly commands: Commands },
): AuthRouter<Scope> {
  const router = auth.router()
  router.get('/whoami', 'token', (req, res) => {
    const { subject, clientId, scopes, session, expiresAt } = auth.principal(req)
    res.json({ subject, client_id: clientId, scopes: [...scopes], session, expires_at: expiresAt })
  })
  router.get('/feed', 'service', (req, res) => {
    res.json(feed.page(Problem.parse(pageShape, { ...req.query })))
  })
  router.post('/feed', 'service', ...jsonBody(mostBytes), (req, res) => {
    const { id } = feed.append({ type: 'note', text: Problem.parse(noteShape, req.body).text })
    res.status(201).json({ id })
  })
  router.get('/commands', 'admin', (_req, res) => {
    res.json({ commands: commands.list() })
  })
  router.post('/commands', 'admin', ...jsonBody(mostBytes), (req, res) => {
    res.status(202).json(commands.run(Problem.parse(commandShape, req.body).argv))
  })
  router.delete('/commands/:id', 'admin', (req, res) => {
    commands.stop(String(req.params.id))
    res.status(202).json({})
  })
  return router
}
