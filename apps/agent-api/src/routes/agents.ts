import { jsonBody, Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import { type Agent, builtInAgents } from '../agents.ts'
import { ownerOf } from '../owned-store.ts'
import type { Context } from './context.ts'

const newAgent = z.strictObject({
  name: z.string().trim().min(1).max(80),
  description: z.string().trim().max(400).default(''),
})

export function agentRoutes({ router, auth, agents, newId }: Context): void {
  router.get('/agents', 'agents:read', (req, res) => {
    res.json({ agents: [...builtInAgents, ...agents.list(ownerOf(auth.principal(req)))] })
  })

  router.get('/agents/:id', 'agents:read', (req, res) => {
    res.json(findAgent(agents, ownerOf(auth.principal(req)), String(req.params.id)))
  })

  router.post('/agents', 'agents:write', ...jsonBody(), (req, res) => {
    const agent: Agent = { id: newId(), ...Problem.parse(newAgent, req.body) }
    if (!agents.add(ownerOf(auth.principal(req)), agent)) {
      throw new Problem('limit_reached', 'You have as many agents as one may have.')
    }
    res.status(201).location(`/agents/${agent.id}`).json(agent)
  })
}

/** @throws Problem `not_found`, also for somebody else's */
export function findAgent(agents: Context['agents'], owner: string, id: string): Agent {
  const agent = builtInAgents.find((one) => one.id === id) ?? agents.get(owner, id)
  if (agent === undefined) throw new Problem('not_found', 'There is no such agent.')
  return agent
}
