import { createClerkClient } from '@clerk/backend'
import { describe, expect, it } from 'vitest'
import { clerkVerifier, readClerkFault } from '../src/server/index.ts'
import { verdict } from './clerk-world.ts'

/**
 * The same against a real instance of Clerk, for development: it makes a user and takes it away again. Run by
 * `pnpm run live`, which needs the instance's keys; how to give them is in the README.
 */
const { CLERK_LIVE_SECRET_KEY: secretKey = '', CLERK_LIVE_ISSUER: issuer = '' } = process.env
const isGiven = secretKey.startsWith('sk_test_') && issuer !== ''
if (!isGiven) {
  console.warn(
    'SKIPPED: Clerk. Give CLERK_LIVE_SECRET_KEY (sk_test_…) and CLERK_LIVE_ISSUER of a development instance.',
  )
}

describe.skipIf(!isGiven)('a real instance of Clerk', () => {
  const client = createClerkClient({ secretKey, telemetry: { disabled: true } })

  it('a session of it is accepted with discovered and with pinned keys, and refused when changed', async () => {
    const emailAddress = [`countersign+clerk_test_${Date.now()}@example.com`]
    const user = await client.users.createUser({ emailAddress, skipPasswordRequirement: true })
    try {
      const session = await client.sessions.createSession({ userId: user.id })
      const { jwt } = await client.sessions.getToken(session.id, 'convex')
      const { keys = [] } = await client.jwks.getJwks()
      const pinned = { keys: keys.map(({ kid, kty, n, e, alg }) => ({ kid, kty, n, e, alg })) }
      const verifiers = [
        clerkVerifier({ issuer, audience: 'convex' }),
        clerkVerifier({ issuer, audience: 'convex', keys: pinned }),
      ]
      for (const verifier of verifiers) {
        expect((await verifier.verify(jwt)).subject).toBe(user.id)
        expect(await verdict(verifier, `${jwt.slice(0, -8)}AAAAAAAA`)).toBe('bad_signature')
        verifier.close()
      }
      const other = clerkVerifier({ issuer, audience: 'another' })
      expect(await verdict(other, jwt)).toBe('wrong_audience')
      other.close()
    } finally {
      await client.users.deleteUser(user.id)
    }
  }, 30_000)

  it('says no as the stand-in does', async () => {
    const fault = readClerkFault(await client.users.getUser('user_unknown').catch((error: unknown) => error))
    expect(fault).toMatchObject({ code: 'clerk_refused', status: 404, reason: 'resource_not_found' })
  })
})
