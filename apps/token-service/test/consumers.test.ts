import { checkConsumers } from '@countersign/consumers'
import { expect, it } from 'vitest'
import { consumers } from '../src/consumers.ts'

it('has the five audiences, all signed for with Ed25519, and nothing that is probably not meant', () => {
  expect(Object.keys(consumers.consumers)).toEqual([
    'agent-api',
    'analytics-service',
    'billing-worker',
    'support-console',
    'synthetic-monitor',
  ])
  expect(checkConsumers(consumers, { ed25519Only: true })).toEqual([])
})

it('describes every audience and scope', () => {
  for (const { audience, description, scopes } of Object.values(consumers.consumers)) {
    expect(description, audience).toBeDefined()
    for (const [scope, properties] of Object.entries(scopes)) expect(properties.description, scope).toBeDefined()
  }
})
