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
  await users.add({ identifier: 'olga', password, scopes: ['sessions:revoke'] })
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

  it('is not had by a service whose record names no scopes', async () => {
    const of = async (name: string, scopes?: readonly string[]) => {
      const grants = ['client_credentials'] as const
      const made = await service.client({
        name,
        grants,
        audiences: ['desk'],
        ...(scopes === undefined ? {} : { scopes }),
      })
      return (scope?: string) =>
        service.post('/oauth/token', {
          grant_type: 'client_credentials',
          client_id: made.id,
          client_secret: made.secret,
          ...(scope === undefined ? {} : { scope }),
        })
    }
    const any = await of('any-service')
    expect((await any()).body.scope).toBe('tickets:read')
    expect((await any('sessions:revoke')).body.error).toBe('invalid_scope')
    const named = await of('named-service', ['sessions:revoke'])
    expect((await named()).body.scope).toBe('sessions:revoke')
    expect((await named('sessions:revoke')).body.scope).toBe('sessions:revoke')
  })

  it('is not had by whoever knows a password that many share', async () => {
    const password = 'mV6!rT9#pL2@xQ8$'
    const own = await startService({ matrix })
    await own.issuer.useSharedPassword({ password, name: 'tool', audience: 'desk' })
    expect((await own.postJson('/auth/sign-in', { password })).body.scope).toBe('tickets:read')
    const asked = await own.postJson('/auth/sign-in', { password, scope: 'sessions:revoke' })
    expect([asked.status, asked.body.error]).toEqual([400, 'invalid_scope'])
    await own.issuer.users.setScopes('tool', ['sessions:revoke'])
    await own.issuer.useSharedPassword({ password, name: 'tool', audience: 'desk' })
    expect((await own.postJson('/auth/sign-in', { password })).body.scope).toBe('sessions:revoke')
    await own.close()
  })

  it('ends with the next refresh of a session that was opened before the matrix said so', async () => {
    const anybodys = defineConsumers({
      desk: { scopes: ['tickets:read', 'sessions:revoke'], obtainedBy: 'sign-in', refresh: 'body' },
    })
    const before = await startService({ matrix: anybodys, stores: service.stores })
    const body = { secret: password, client_id: 'desk-app' }
    const opened = await before.postJson('/auth/sign-in', { identifier: 'customer', ...body })
    const named = await before.postJson('/auth/sign-in', { identifier: 'olga', ...body })
    expect([opened.body.scope, named.body.scope]).toEqual(['tickets:read sessions:revoke', 'sessions:revoke'])
    await before.close()
    const form = { grant_type: 'refresh_token', client_id: 'desk-app' }
    const kept = await service.post('/oauth/token', { ...form, refresh_token: named.body.refresh_token })
    expect(kept.body.scope).toBe('sessions:revoke')
    const wider = { ...form, refresh_token: opened.body.refresh_token, scope: 'sessions:revoke' }
    expect((await service.post('/oauth/token', wider)).body.error).toBe('invalid_scope')
    const after = await service.post('/oauth/token', { ...form, refresh_token: opened.body.refresh_token })
    expect(after.body.scope).toBe('tickets:read')
  })
})
