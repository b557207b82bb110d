import { environment } from '../environment.ts'
import { auth } from './auth.ts'

/** Machines that run what was started: paired by a code, known by their key, each in one workspace. */
export const runners = auth.runnerRoute({
  deployment: () => ({ ...environment.deployment, verificationUrl: `${environment.pageOrigin}/#runners` }),
  scopes: ['run:execute'],
  permissions: { pair: 'runner:write', end: 'runner:write' },
  stepUpSeconds: 600,
  limits: { intervalSeconds: 2 },
})
export const { step, lookUp, approve, deny, list, endTokens, revoke } = runners.functions
