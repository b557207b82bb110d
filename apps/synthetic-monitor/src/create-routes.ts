import type { Guard } from '@countersign/guard'
import { type ConsumerApp, createConsumerApp, Problem } from '@countersign-apps/kit'
import type { Monitor } from './monitor.ts'
import { onWire } from './result.ts'
import type { Scope } from './scopes.ts'

export interface MonitorParts {
  readonly guard: Guard<Scope>
  readonly monitor: Monitor
  readonly onFault?: (error: unknown) => void
}

/** The monitor over HTTP: what came of the last probes, and a probe on demand. */
export function createRoutes({ guard, monitor, onFault }: MonitorParts): ConsumerApp<Scope> {
  const options = { guard, realm: 'synthetic-monitor', ...(onFault === undefined ? {} : { onFault }) }
  return createConsumerApp(options, ({ router }) => {
    router.get('/probes', 'probes:read', (_req, res) => {
      res.json({ running: monitor.running ?? null, probes: monitor.results.map(onWire) })
    })
    router.get('/probes/:id', 'probes:read', (req, res) => {
      const { id } = req.params
      const result = monitor.results.find((each) => each.id === id)
      if (result !== undefined) return void res.json({ state: 'done', ...onWire(result) })
      if (monitor.running !== id) throw new Problem('not_found', 'There is no such probe, or it is forgotten.')
      res.json({ state: 'running', id })
    })
    router.post('/probes', 'probes:run', (_req, res) => {
      const { id } = monitor.start('request')
      res.status(202).location(`/probes/${id}`).json({ state: 'running', id })
    })
  })
}
