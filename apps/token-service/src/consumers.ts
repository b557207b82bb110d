import { defineConsumers } from '@countersign/consumers'

/**
 * The fleet's consumer matrix: its audiences, their scopes, and how a token for each is obtained.
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
    obtainedBy: ['sign-in', 'client-credentials', 'exchange'],
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
      'sessions:read': { sensitive: true, byName: true, description: "Find a user's sessions." },
      'sessions:revoke': { sensitive: true, sideEffects: true, byName: true, description: "End a user's sessions." },
      'keys:read': { byName: true, description: 'See the signing keys and their timeline; public parts only.' },
      'help:answer': {
        sensitive: true,
        byName: true,
        description: 'Act for customers who asked for help, by delegation and with a reason.',
      },
      'conversations:read': { description: 'A customer’s own: lets support read their conversations.' },
    },
    accessTokenLifeSeconds: 300,
    obtainedBy: ['sign-in', 'exchange'],
    refresh: 'cookie',
    resource: 'http://127.0.0.1:4613',
  },
  'synthetic-monitor': {
    description: 'Reliability and synthetic monitoring agents.',
    scopes: {
      'probes:read': { description: 'Read the results of the last probes.' },
      'probes:run': { sideEffects: false, description: 'Start a probe; probes use accounts of their own.' },
      'agents:read': { description: 'Have the monitor look at agents: it exchanges the token for one for agent-api.' },
    },
    accessTokenLifeSeconds: 300,
    obtainedBy: 'client-credentials',
    resource: 'http://127.0.0.1:4614',
  },
  'mcp-orchestrator': {
    description:
      'The MCP server that agents give their tasks to; it has the coder do them, in the name of whoever asked.',
    scopes: {
      'tasks:read': { description: 'Plan a task, and see how the own ones stand.' },
      'tasks:run': { sideEffects: true, description: 'Run and stop tasks.' },
      'coder:read': { description: 'Have a task read in the own workspace.' },
      'coder:write': { sideEffects: true, description: 'Have a task write there; reading comes along.' },
      'coder:run': {
        sensitive: true,
        sideEffects: true,
        description: 'Have a task run commands there; both come along.',
      },
    },
    // A task may take longer than the usual ten minutes, and nobody is there to renew its token.
    accessTokenLifeSeconds: 7200,
    obtainedBy: ['sign-in', 'client-credentials', 'exchange'],
    refresh: 'body',
    resource: 'http://127.0.0.1:4615/mcp',
  },
  'mcp-coder': {
    description: 'The MCP server that reads, writes and runs commands in scratch workspaces, one for each subject.',
    scopes: {
      'coder:read': { description: 'Read, list and search files of the own workspace.' },
      'coder:write': { sideEffects: true, description: 'Write and remove files there; reading comes along.' },
      'coder:run': { sensitive: true, sideEffects: true, description: 'Run commands there; both come along.' },
    },
    accessTokenLifeSeconds: 600,
    obtainedBy: ['exchange', 'sign-in', 'client-credentials'],
    refresh: 'body',
    resource: 'http://127.0.0.1:4616/mcp',
  },
  'mcp-bridge': {
    description:
      'A web application’s backend: people signed in with Clerk reach the MCP servers through it, never commands.',
    scopes: {
      'tasks:read': { description: 'Plan a task, and see how the own ones stand.' },
      'tasks:run': { sideEffects: true, description: 'Run and stop tasks.' },
      'coder:read': { description: 'Have a task read in the own workspace, or read there.' },
      'coder:write': { sideEffects: true, description: 'Write there; reading comes along.' },
    },
    accessTokenLifeSeconds: 300,
    // Its own account. People come with sessions of Clerk, where the service is told of an instance.
    obtainedBy: 'client-credentials',
  },
  edges: [
    // A customer's token becomes one for the bill at checkout, and names agent-api as who acts.
    { from: 'agent-api', to: 'billing-worker', scopes: ['jobs:run'] },
    // A probe exchanges the monitor's own token, to see that what is made of it ends with it.
    { from: 'synthetic-monitor', to: 'agent-api', scopes: ['agents:read'] },
    // A customer asks for help; then an operator acts for them, says why, and is named in the token.
    { from: 'agent-api', to: 'support-console', scopes: ['conversations:read'] },
    { from: 'support-console', to: 'agent-api', scopes: ['conversations:read'], reason: true },
    // The orchestrator takes, for each step of a task, a token that is good for that step.
    { from: 'mcp-orchestrator', to: 'mcp-coder', scopes: ['coder:read', 'coder:write', 'coder:run'] },
    // Whoever is signed in with Clerk: tasks that read and write, and the coder's files.
    {
      from: 'mcp-bridge',
      to: 'mcp-orchestrator',
      scopes: ['tasks:read', 'tasks:run', 'coder:read', 'coder:write'],
    },
    { from: 'mcp-bridge', to: 'mcp-coder', scopes: ['coder:read', 'coder:write'] },
  ],
})
