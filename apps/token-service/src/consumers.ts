import { defineConsumers } from '@countersign/consumers'

/**
 * The fleet's consumer matrix: five audiences, their scopes, and how a token for each is obtained.
 * `docs/security/jwt-consumer-matrix.md` is made from this file by `countersign consumers matrix`.
 */
export const consumers = defineConsumers({
  'agent-api': {
    description: 'The default audience, for interactive API consumers: agents, chat, conversations and tools.',
    scopes: {
      'agents:read': { description: 'List agents and read one.' },
      'agents:write': { sideEffects: true, description: 'Create an agent.' },
      'chat:write': { sideEffects: true, description: 'Send a message to an agent; it is kept in a conversation.' },
      'conversations:read': { description: "List and read the caller's own conversations." },
      'conversations:delete': {
        sensitive: true,
        sideEffects: true,
        description: "Delete one of the caller's own conversations for good.",
      },
      'tools:read': { description: 'List the tools and what they take.' },
      'tools:run': { sideEffects: false, description: 'Run a tool; the tools compute and change nothing.' },
      'usage:read': { description: 'Page through what was used, without who did; for services only.' },
      'jobs:run': {
        sensitive: true,
        sideEffects: true,
        description: 'Check out: have a billing job run in the customer’s name.',
      },
    },
    accessTokenLifeSeconds: 600,
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: 'cookie',
    resource: 'http://127.0.0.1:4610',
  },
  'analytics-service': {
    description: 'Batch analytics and ETL jobs in the data environment.',
    scopes: {
      'reports:read': { description: 'Read aggregated reports.' },
      'reports:write': { sideEffects: true, description: 'Load a batch of rows that reports are made from.' },
    },
    accessTokenLifeSeconds: 600,
    obtainedBy: 'client-credentials',
    resource: 'http://127.0.0.1:4611',
  },
  'billing-worker': {
    description: 'Backend billing workers and webhook processors.',
    scopes: {
      'jobs:read': { description: 'See the state of billing jobs.' },
      'jobs:run': { sensitive: true, sideEffects: true, description: 'Run a billing job.' },
    },
    accessTokenLifeSeconds: 600,
    obtainedBy: ['client-credentials', 'exchange'],
    resource: 'http://127.0.0.1:4612',
  },
  'support-console': {
    description: 'Internal support and operations tooling.',
    scopes: {
      'sessions:read': { sensitive: true, description: "Find a user's sessions." },
      'sessions:revoke': { sensitive: true, sideEffects: true, description: "End a user's sessions." },
      'keys:read': { description: 'See the signing keys and their timeline; public parts only.' },
    },
    accessTokenLifeSeconds: 300,
    obtainedBy: 'sign-in',
    refresh: 'cookie',
    resource: 'http://127.0.0.1:4613',
  },
  'synthetic-monitor': {
    description: 'Reliability and synthetic monitoring agents.',
    scopes: {
      'probes:read': { description: 'Read the results of the last probes.' },
      'probes:run': { sideEffects: false, description: 'Start a probe; probes use accounts of their own.' },
    },
    accessTokenLifeSeconds: 300,
    obtainedBy: 'client-credentials',
    resource: 'http://127.0.0.1:4614',
  },
  edges: [
    // A customer's token becomes one for the bill at checkout, and names agent-api as who acts.
    { from: 'agent-api', to: 'billing-worker', scopes: ['jobs:run'] },
  ],
})
