import { jsonBody } from '@countersign-apps/kit'
import { say } from '../say.ts'
import type { Context } from './context.ts'

export function chatRoutes(context: Context): void {
  const { router, auth } = context
  router.post('/chat', 'chat:write', ...jsonBody(), (req, res) => {
    const { isNew, answer } = say(context, auth.principal(req), req.body)
    res.status(isNew ? 201 : 200).json(answer)
  })
}
