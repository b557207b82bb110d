import { auth, place } from './auth.ts'

export const runners = auth.runnerRoute({
  deployment: () => place.deployment,
  scopes: ['job:run', 'job:read', 'repo:push'],
  permissions: { pair: 'runner:pair', end: 'runner:end' },
  sessions: () => place.sessions(),
  limits: { pairingsPerAddress: 60, pairings: 80 },
})

export const { step, lookUp, approve, deny, list, endTokens, revoke } = runners.functions
