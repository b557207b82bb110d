import { decodeJwt } from 'jose'
import { beforeAll, expect, it } from 'vitest'
import { fakeClerk } from '../src/testing/index.ts'
import { type ClerkWorld, clerkWorld, verdict } from './clerk-world.ts'

const page = 'http://127.0.0.1:3000'
let world: ClerkWorld
beforeAll(async () => {
  world = await clerkWorld()
})

/** A browser of one person: a cookie, shared by its tabs. */
function browser() {
  let cookie = ''
  return async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(world.clerk.issuer + path, {
      method,
      redirect: 'manual',
      headers: { origin: page, cookie, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }
}

it('signs a person in by a page, over reloads and tabs, gives tokens for the page, and ends for all tabs', async () => {
  const { clerk, userId, organizationId } = world
  const ask = browser()
  const shown = await ask('GET', `/sign-in?redirect_url=${encodeURIComponent(`${page}/runs`)}`)
  expect(shown.body).toContain('value="ada@example.com"')
  const form = await fetch(`${clerk.issuer}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ identifier: 'ada@example.com', redirect_url: `${page}/runs` }),
  })
  expect([form.status, form.headers.get('location')]).toEqual([303, `${page}/runs`])
  const cookie = form.headers.get('set-cookie')?.split(';')[0] ?? ''
  const client = await ask('GET', '/v1/client', undefined, { cookie })
  expect(client.headers.get('access-control-allow-origin')).toBe(page)
  const [session] = client.body.response.sessions
  expect(session).toMatchObject({ user_id: userId, last_active_organization_id: organizationId, status: 'active' })

  const tokens = `/v1/client/sessions/${session.id}/tokens`
  const { jwt } = (await ask('POST', tokens)).body.response
  expect(decodeJwt(jwt)).toMatchObject({ azp: page, sid: session.id, o: { id: organizationId } })
  expect(await verdict(world.verifier({ authorizedParties: [page] }), jwt)).toBe('accepted')
  expect(decodeJwt((await ask('POST', `${tokens}/convex`)).body.response.jwt)).toMatchObject({
    aud: 'convex',
    azp: page,
  })

  expect(session.user).toMatchObject({
    id: userId,
    organization_memberships: [{ organization: { id: organizationId } }],
  })
  clerk.world.proveSession(session.id, 30)
  expect(decodeJwt((await ask('POST', tokens)).body.response.jwt).fva).toEqual([30, -1])
  expect((await ask('POST', `/v1/client/sessions/${session.id}/verify`)).status).toBe(200)
  expect(decodeJwt((await ask('POST', tokens)).body.response.jwt).fva).toEqual([0, -1])

  expect((await ask('POST', `/v1/client/sessions/${session.id}/end`)).status).toBe(200)
  expect((await ask('GET', '/v1/client')).body.response.sessions).toEqual([])
  expect((await ask('POST', tokens)).status).toBe(401)
})

it('switches the organisation to another one of the person, and to no other', async () => {
  const { clerk, userId } = world
  const { world: held } = clerk
  const user = held.users.get(userId)
  if (user === undefined) throw new Error('no user')
  const [other, foreign] = [held.addOrganization({ name: 'Other' }), held.addOrganization({ name: 'Foreign' })]
  held.setMembership({ organization: other, user, role: 'org:member' })
  const ask = browser()
  await ask('POST', '/v1/client/sign_ins', { identifier: 'ada@example.com' })
  const { sessions } = (await ask('GET', '/v1/client')).body.response
  const path = `/v1/client/sessions/${sessions[0].id}`
  const touch = (active_organization_id: string) => ask('POST', `${path}/touch`, { active_organization_id })
  const organizationNow = async () => decodeJwt((await ask('POST', `${path}/tokens`)).body.response.jwt).o
  expect((await touch(other.id)).status).toBe(200)
  expect(await organizationNow()).toMatchObject({ id: other.id, rol: 'member' })
  expect((await touch(foreign.id)).status).toBe(404)
  expect(await organizationNow()).toMatchObject({ id: other.id })
  expect((await touch('')).status).toBe(200)
  expect(await organizationNow()).toBeUndefined()
})

it('keeps strangers out', async () => {
  const { sessionId } = world
  const ask = browser()
  expect((await ask('POST', '/v1/client/sign_ins', { identifier: 'nobody@example.com' })).status).toBe(422)
  expect((await ask('POST', `/v1/client/sessions/${sessionId}/tokens`)).status).toBe(401)
  expect((await ask('GET', '/sign-in?redirect_url=https://evil.example/')).status).toBe(400)
  expect((await ask('GET', '/v1/client/other')).status).toBe(404)
  expect((await ask('OPTIONS', '/v1/client')).headers.get('access-control-allow-credentials')).toBe('true')
})

it('writes the audience of Convex into session tokens where it is told to', async () => {
  const clerk = await fakeClerk({ sessionAudience: 'convex' })
  try {
    const session = clerk.world.addSession(clerk.world.addUser({ email: 'ada@example.com' }).id)
    expect(decodeJwt(clerk.token(session.id))).toMatchObject({ aud: 'convex', sid: session.id, fva: [0, -1] })
    const template = { name: 'other', audience: 'elsewhere' }
    expect(decodeJwt(clerk.token(session.id, { template })).aud).toBe('elsewhere')
  } finally {
    await clerk.close()
  }
})
