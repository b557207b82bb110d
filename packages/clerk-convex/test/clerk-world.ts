import { type ClerkClient, createClerkClient } from '@clerk/backend'
import { isRejection, type RejectionCode, type Verifier } from '@countersign/tokens'
import { afterAll } from 'vitest'
import { type ClerkVerifierOptions, clerkVerifier } from '../src/server/index.ts'
import { type FakeClerk, type FakeClerkOptions, fakeClerk } from '../src/testing/index.ts'

export const origin = 'https://app.example.com'

export interface ClerkWorld {
  readonly clerk: FakeClerk
  readonly client: ClerkClient
  /** Of ada, admin of acme. */
  readonly sessionId: string
  readonly userId: string
  readonly organizationId: string
  verifier(options?: Partial<ClerkVerifierOptions>): ReturnType<typeof clerkVerifier>
}

const ends: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Calls it after the last test of the file. */
export function atEnd(end: () => unknown): void {
  ends.push(end)
}

export async function clerkWorld(options: FakeClerkOptions = {}): Promise<ClerkWorld> {
  const clerk = await fakeClerk(options)
  atEnd(() => clerk.close())
  const { world, apiUrl, secretKey, publishableKey } = clerk
  const user = world.addUser({ email: 'ada@example.com', firstName: 'Ada' })
  const organization = world.addOrganization({ name: 'Acme' })
  world.setMembership({
    organization,
    user,
    role: 'org:admin',
    permissions: ['org:runs:read', 'org:runs:stop', 'org:billing:read'],
  })
  const session = world.addSession(user.id, organization.id)
  return {
    clerk,
    client: createClerkClient({ apiUrl, secretKey, publishableKey, telemetry: { disabled: true } }),
    sessionId: session.id,
    userId: user.id,
    organizationId: organization.id,
    verifier(more = {}) {
      const { clock } = options
      const verifier = clerkVerifier({
        issuer: clerk.issuer,
        authorizedParties: [origin],
        ...(clock === undefined ? {} : { clock }),
        ...more,
      })
      atEnd(() => verifier.close())
      return verifier
    },
  }
}

/** The code that a token is refused with, or `accepted`. */
export async function verdict(verifier: Verifier, token: string): Promise<RejectionCode | 'accepted'> {
  try {
    await verifier.verify(token)
    return 'accepted'
  } catch (error) {
    if (!isRejection(error)) throw error
    return error.code
  }
}
