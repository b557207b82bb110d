import { defineConsumers } from '@countersign/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, password, type Service, startService } from './service.ts'

const matrix = defineConsumers({
  desk: {
    scopes: { 'tickets:read': {}, 'sessions:revoke': { byName: true } },
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: 'body',
  },
})

let service: Service
beforeAll(async () => {
  service = await startService({ matrix })
  await service.client({
    name: 'desk-app',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['desk'],
  })
  const { users } = service.issuer
  await users.add({ identifier: 'customer', password })
  await users.add({ identifier: 'operator', password, scopes: ['tickets:read', 'sessions:revoke'] })
})
afterAll(() => service.close())

const signIn = (identifier: string, scope?: string) =>
  service.postJson('/auth/sign-in', {
    identifier,
    secret: password,
    client_id: 'desk-app',
    ...(scope === undefined ? {} : { scope }),
  })

describe('a scope that is given by name', () => {
  it('is not among everything that an account without a list may have', async () => {
    const { body } = await signIn('customer')
    expect(body.scope).toBe('tickets:read')
    expect(claimsOf(body.access_token).scope).toBe('tickets:read')
    const asked = await signIn('customer', 'sessions:revoke')
    expect([asked.status, asked.body.error]).toEqual([400, 'invalid_scope'])
    const form = { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: 'desk-app' }
    const grown = await service.post('/oauth/token', { ...form, scope: 'sessions:revoke' })
    expect(grown.body.error).toBe('invalid_scope')
    expect((await service.post('/oauth/token', form)).body.scope).toBe('tickets:read')
  })

  it('is had by whose account names it, until it no longer does', async () => {
    expect((await signIn('operator')).body.scope).toBe('tickets:read sessions:revoke')
    expect((await signIn('operator', 'sessions:revoke')).body.scope).toBe('sessions:revoke')
    await service.issuer.users.setScopes('operator', null)
    expect((await signIn('operator')).body.scope).toBe('tickets:read')
  })
})
