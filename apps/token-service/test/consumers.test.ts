import { checkConsumers } from '@countersign/consumers'
import { expect, it } from 'vitest'
import { consumers } from '../src/consumers.ts'

it('has its audiences, all signed for with Ed25519, and one thing that might not be meant', () => {
  expect(Object.keys(consumers.consumers)).toEqual([
    'agent-api',
    'analytics-service',
    'billing-worker',
    'support-console',
    'synthetic-monitor',
    'mcp-orchestrator',
    'mcp-coder',
    'mcp-bridge',
  ])
  // Two hours, which the orchestrator's tasks may take.
  expect(checkConsumers(consumers, { ed25519Only: true })).toMatchObject([
    { severity: 'warning', code: 'long_life', audience: 'mcp-orchestrator' },
  ])
})

it('describes every audience and scope', () => {
  for (const { audience, description, scopes } of Object.values(consumers.consumers)) {
    expect(description, audience).toBeDefined()
    for (const [scope, properties] of Object.entries(scopes)) expect(properties.description, scope).toBeDefined()
  }
})
