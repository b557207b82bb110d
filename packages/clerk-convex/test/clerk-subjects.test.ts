import { describe, expect, it } from 'vitest'
import { type ClerkEnd, type ClerkSubjectsOptions, clerkSubjects } from '../src/server/index.ts'
import { atEnd, clerkWorld, origin } from './clerk-world.ts'

const url = 'https://auth.example.com/issuers/clerk/events'

async function subjectsOf(more: Partial<ClerkSubjectsOptions> = {}) {
  const world = await clerkWorld()
  const { clerk } = world
  const subjects = clerkSubjects({
    issuer: clerk.issuer,
    authorizedParties: [origin],
    signingSecrets: [clerk.webhookSecret],
    sentTo: 'mcp-bridge',
    scopes: ['runs:read', 'runs:stop', 'tasks:run'],
    ...more,
  })
  atEnd(() => subjects.verifier.close())
  const told = async (type: string, data: object): Promise<readonly ClerkEnd[]> => {
    const ends: ClerkEnd[] = []
    const request = clerk.webhook(url, { type, data } as Parameters<typeof clerk.webhook>[1])
    const answer = await subjects.events?.(request, async (end) => void ends.push(end))
    expect(answer?.status).toBe(204)
    return ends
  }
  return { ...world, subjects, told }
}

describe('what a session is worth', () => {
  it('is every scope that is declared', async () => {
    const { subjects, clerk, sessionId } = await subjectsOf()
    const principal = await subjects.verifier.verify(clerk.token(sessionId, { origin }))
    expect([...subjects.grants(principal)]).toEqual(['runs:read', 'runs:stop', 'tasks:run'])
  })

  it('is what the organisation’s permissions say, of those that are declared', async () => {
    const { subjects, clerk, sessionId } = await subjectsOf({
      grants: ({ organization }) => organization?.permissions.map((one) => one.replace(/^org:/, '')) ?? [],
    })
    const inside = await subjects.verifier.verify(clerk.token(sessionId, { origin }))
    expect([...subjects.grants(inside)]).toEqual(['runs:read', 'runs:stop'])
    const outside = await subjects.verifier.verify(clerk.token(sessionId, { origin, organization: false }))
    expect([...subjects.grants(outside)]).toEqual([])
  })

  it('is something', () => {
    const options = { issuer: 'https://clerk.example.com', authorizedParties: [origin], sentTo: 'a', scopes: [] }
    expect(() => clerkSubjects(options)).toThrow(/scopes/)
  })
})

describe('what Clerk tells of', () => {
  const until = () => expect.any(Number)
  const membership = { organization: { id: 'org_1' }, public_user_data: { user_id: 'user_1' } }
  it.each<[type: string, data: object, ends: () => readonly unknown[]]>([
    ['session.ended', { id: 'sess_1', user_id: 'user_1' }, () => [{ type: 'session', id: 'sess_1' }]],
    ['session.removed', { id: 'sess_1', user_id: 'user_1' }, () => [{ type: 'session', id: 'sess_1' }]],
    ['session.revoked', { id: 'sess_1', user_id: 'user_1' }, () => [{ type: 'session', id: 'sess_1' }]],
    ['user.deleted', { id: 'user_1', deleted: true }, () => [{ type: 'subject', id: 'user_1' }]],
    ['user.updated', { id: 'user_1', banned: true }, () => [{ type: 'subject', id: 'user_1', issuedUntil: until() }]],
    ['user.updated', { id: 'user_1', locked: true }, () => []],
    ['organization.deleted', { id: 'org_1', deleted: true }, () => [{ type: 'organization', id: 'org_1' }]],
    ['organizationMembership.deleted', membership, () => [{ type: 'subject', id: 'user_1', issuedUntil: until() }]],
    ['organizationMembership.updated', membership, () => [{ type: 'subject', id: 'user_1', issuedUntil: until() }]],
    ['organizationMembership.created', membership, () => []],
    ['user.updated', { id: 'user_1', banned: false }, () => []],
    ['user.created', { id: 'user_1' }, () => []],
    ['session.created', { id: 'sess_1', user_id: 'user_1' }, () => []],
    ['session.ended', {}, () => []],
    ['user.deleted', { id: 7 }, () => []],
    ['organizationMembership.deleted', { public_user_data: null }, () => []],
  ])('%s %j ends what it names', async (type, data, ends) => {
    const { told } = await subjectsOf()
    expect(await told(type, data)).toEqual(ends())
  })

  it('ends what the person had, where tokens name no session', async () => {
    const { told } = await subjectsOf({ audience: 'convex' })
    expect(await told('session.ended', { id: 'sess_1', user_id: 'user_1' })).toEqual([
      { type: 'session', id: 'sess_1' },
      { type: 'subject', id: 'user_1', issuedUntil: until() },
    ])
  })

  it('is told again, in any order; a forged word is a 400, and a fault is Clerk’s to repeat', async () => {
    const { subjects, clerk } = await subjectsOf()
    const delivery = () => clerk.webhook(url, { type: 'session.ended', data: { id: 'sess_1' } })
    const one = delivery()
    const again = one.clone()
    const seen: ClerkEnd[] = []
    const end = async (ended: ClerkEnd) => void seen.push(ended)
    expect([(await subjects.events?.(one, end))?.status, (await subjects.events?.(again, end))?.status]).toEqual([
      204, 204,
    ])
    expect(seen).toHaveLength(2)
    const forged = new Request(url, { method: 'POST', body: '{}' })
    expect((await subjects.events?.(forged, end))?.status).toBe(400)
    const failing = async () => Promise.reject(new Error('the store is down'))
    await expect(subjects.events?.(delivery(), failing)).rejects.toThrow('the store is down')
  })

  it('of another instance is refused where one is named', async () => {
    const { subjects, clerk } = await subjectsOf({ instance: 'ins_ours' })
    const from = (instance: string) =>
      subjects.events?.(clerk.webhook(url, { type: 'session.ended', data: { id: 'sess_1' }, instance }), async () => {})
    expect([(await from('ins_ours'))?.status, (await from('ins_theirs'))?.status]).toEqual([204, 400])
  })

  it('is not listened to without a secret', async () => {
    const { clerk } = await clerkWorld()
    const options = { issuer: clerk.issuer, authorizedParties: [origin], sentTo: 'a', scopes: ['a:b'] }
    const subjects = clerkSubjects(options)
    atEnd(() => subjects.verifier.close())
    expect(subjects).not.toHaveProperty('events')
  })
})
