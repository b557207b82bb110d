import type { RunnerDeployment } from '../../src/convex/index.ts'
import { type AuthEvent, defineAuth } from '../../src/convex/index.ts'
import { clerkVerifier } from '../../src/server/index.ts'
import schema from './schema.ts'

/** What a deployment reads from its environment; a test's own. */
export const place: {
  now: () => number
  clerkIssuer: string
  deployment: RunnerDeployment
  sessions: () => ReturnType<typeof clerkVerifier>
} = {
  now: () => Date.now() / 1_000,
  clerkIssuer: process.env.TEST_RUNNERS_CLERK ?? 'https://clerk.test',
  deployment: { cloudUrl: undefined, siteUrl: undefined, verificationUrl: 'https://app.example.com/pair' },
  sessions: () => clerkVerifier({ issuer: 'https://clerk.test', authorizedParties: ['https://app.example.com'] }),
}
/** What the functions told beside the audit table. */
export const told: AuthEvent[] = []

export const auth = defineAuth({
  schema,
  tenants: {
    jobs: { index: 'by_workspace', field: 'orgId', workspace: 'workspaceId' },
    notes: { index: 'by_org', field: 'orgId' },
  },
  roles: {
    admin: ['job:run', 'job:read', 'repo:push', 'runner:pair', 'runner:end', 'note:write'],
    member: ['job:run', 'job:read'],
    guest: [],
  },
  identities: { clerkIssuer: place.clerkIssuer },
  retention: { auditDays: 400 },
  onEvent: (event) => told.push(event),
  now: () => place.now(),
})

export const { gate, receiveWebhook, whoAmI, sweep } = auth.functions
