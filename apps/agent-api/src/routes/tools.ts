import { jsonBody } from '@countersign-apps/kit'
import { listTools, runTool } from '../tools.ts'
import type { Context } from './context.ts'

export function toolRoutes({ router }: Context): void {
  router.get('/tools', 'tools:read', (_req, res) => {
    res.json({ tools: listTools() })
  })

  router.post('/tools/:name', 'tools:run', ...jsonBody(), (req, res) => {
    res.json({ result: runTool(String(req.params.name), req.body) })
  })
}
