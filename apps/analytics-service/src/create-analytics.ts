import type { Guard } from '@countersign/guard'
import { type ConsumerApp, createConsumerApp, jsonBody, Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import type { ReportStore } from './report-store.ts'
import type { Scope } from './scopes.ts'

const row = z.strictObject({
  agent: z.string().min(1).max(64),
  words: z.int().min(0).max(1_000_000),
  at: z.int().min(0).max(100_000_000_000),
})
const batch = z.strictObject({
  /** The sender's name for it: the same batch counts once. */
  batch: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"'),
  rows: z.array(row).min(1).max(1000),
})

const longestBatch = 131_072

export interface AnalyticsParts {
  readonly guard: Guard<Scope>
  readonly store: ReportStore
  readonly onFault?: (error: unknown) => void
}

/** Reports over what agents were used for. */
export function createAnalytics({ guard, store, onFault }: AnalyticsParts): ConsumerApp<Scope> {
  const options = { guard, realm: 'analytics-service', ...(onFault === undefined ? {} : { onFault }) }
  return createConsumerApp(options, ({ router }) => {
    router.get('/reports', 'reports:read', (_req, res) => {
      res.json({ reports: store.reports() })
    })
    router.post('/reports/batches', 'reports:write', ...jsonBody(longestBatch), (req, res) => {
      const { batch: id, rows } = Problem.parse(batch, req.body)
      const isNew = store.addBatch(
        id,
        rows.map((each, index) => ({ sequence: index + 1, ...each })),
      )
      res.status(isNew ? 201 : 200).json({ batch: id, added: isNew ? rows.length : 0 })
    })
  })
}
