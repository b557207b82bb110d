import { type FakeClerk, fakeClerk } from '@countersign/clerk-convex/testing'
import type { RunningTokenService } from '@countersign/server'
import { clerkSettings, clerkSubjectsOf } from '@countersign-apps/token-service'

export interface BridgeOfTour {
  /** As whom the web application's backend exchanges. */
  readonly client: { readonly id: string; readonly secret: string }
  readonly clerk: Pick<FakeClerk, 'world' | 'token' | 'delivered'>
}

const site = 'http://localhost:3000'

/** A stand-in for an instance of Clerk, whose sessions the token service exchanges. */
export async function startClerk() {
  const clerk = await fakeClerk()
  const settings = await clerkSettings({
    CLERK_ISSUER: clerk.issuer,
    CLERK_AUTHORIZED_PARTIES: site,
    CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret,
  })
  if (settings === undefined) throw new Error('an issuer was given')
  const subjects = clerkSubjectsOf(settings)
  return {
    subjects,
    /** The backend's account, and Clerk's webhooks on their way to the service. */
    async open({ issuer }: RunningTokenService, url: string): Promise<BridgeOfTour> {
      const account = { name: 'mcp-bridge', grants: ['token_exchange'], audiences: ['mcp-coder'] } as const
      const { client, secret } = await issuer.clients.add(account)
      clerk.subscribe(`${url}/issuers/clerk/events`)
      const token: FakeClerk['token'] = (id, options) => clerk.token(id, { origin: site, ...options })
      return {
        client: { id: client.id, secret: secret ?? '' },
        clerk: { world: clerk.world, token, delivered: clerk.delivered },
      }
    },
    async close(): Promise<void> {
      subjects.verifier.close()
      await clerk.close()
    },
  }
}
