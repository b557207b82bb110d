import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig, openTokenService, type TokenServiceParts } from '@countersign/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Installation, install } from './installation.ts'

const password = 'correct horse battery'

let here: Installation
let service: TokenServiceParts
beforeEach(async () => {
  here = await install()
  await here.run(['users', 'add', 'ada'], { input: password })
  service = await openTokenService(await loadConfig({ cwd: here.folder, file: here.configFile }))
})
afterEach(async () => {
  await service.close()
  await here.remove()
})

const signIn = () =>
  service.issuer.signIn({
    client: { method: 'none', clientId: 'countersign-cli' },
    identifier: 'ada',
    secret: password,
    audience: 'api',
  })
const isActive = async (token: string) => (await service.issuer.introspectToken(token)).active
const kidOf = () => service.rings[0]?.signer.kid ?? ''

describe('sessions', () => {
  it('are listed, the newest first, and ended with everything that came of them', async () => {
    const [one, two] = [await signIn(), await signIn()]
    const listed = await here.json(['sessions', 'list', 'ada'])
    expect((listed.sessions as { id: string }[]).map(({ id }) => id).sort()).toEqual(
      [one.sessionId, two.sessionId].sort(),
    )
    expect((await here.run(['sessions', 'list', 'ada'])).stdout).toMatch(/^SESSION .*\n(\S+ .* open\n){2}$/u)
    expect((await here.json(['sessions', 'list', 'ada', '--limit', '1'])).sessions).toHaveLength(1)

    const why = ['--reason', 'ticket 4711: laptop stolen']
    expect(await here.json(['sessions', 'revoke', one.sessionId, ...why])).toEqual({
      session: one.sessionId,
      revoked: true,
    })
    expect([await isActive(one.accessToken), await isActive(two.accessToken)]).toEqual([false, true])
    expect((await here.run(['sessions', 'list', 'ada'])).stdout).toMatch(/ended .* \(revoked\)/u)
    const audit = await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')
    expect(audit).toMatch(/"action":"session.end","actor":\{"id":"[^"]+","type":"operator"\}/u)
    expect(audit).toContain('"reason":"ticket 4711: laptop stolen"')
  })

  const refused: [what: string, argv: string[], code: string][] = [
    ['nobody', ['list', 'nobody'], 'unknown_user'],
    ['a session that is not there', ['revoke', 'nothing'], 'not_found'],
    ['a reason that is none', ['revoke', 'nothing', '--reason', ' '], 'invalid_option'],
    ['a limit out of bounds', ['list', 'ada', '--limit', '0'], 'wrong_usage'],
  ]
  it.each(refused)('are refused: %s', async (_what, argv, code) => {
    const ran = await here.run(['sessions', ...argv, '--json'])
    expect(ran.json()).toMatchObject({ error: { code } })
  })
})

describe('token revoke', () => {
  it('ends an access token alone, and a session by its refresh token', async () => {
    const { accessToken, refresh } = await signIn()
    const other = await signIn()
    expect(await here.json(['token', 'revoke'], { input: accessToken })).toEqual({ revoked: true })
    expect([await isActive(accessToken), await isActive(other.accessToken)]).toEqual([false, true])
    await here.json(['token', 'revoke'], { input: other.refresh?.token ?? '' })
    expect(await isActive(other.accessToken)).toBe(false)
    expect(refresh).not.toBeNull()
  })
})

describe('keys revoke', () => {
  it('shows with --dry-run what would go, and changes nothing', async () => {
    const { accessToken } = await signIn()
    const kid = kidOf()
    const shown = await here.run(['keys', 'revoke', kid, '--dry-run'])
    expect(shown.stdout).toMatch(new RegExp(`tokens: ${kid}\\n {2}feed: [\\w-]{43}\\nCONSUMER .*\\napi .* 1 `, 'u'))
    expect(await here.json(['keys', 'revoke', kid, '--dry-run', '--scope', 'key'])).toMatchObject({
      dryRun: true,
      rings: [{ ring: 'tokens', kids: [kid] }],
      live: [{ audience: 'api', tokens: 1 }],
    })
    expect(await isActive(accessToken)).toBe(true)
  })

  it('withdraws the keys, shows first what goes, and the next key signs', async () => {
    const { accessToken } = await signIn()
    const kid = kidOf()
    const ran = await here.run(['keys', 'revoke', kid, '--compromised', '--reason', 'INC-42'])
    expect(ran.exitCode).toBe(0)
    expect(ran.stdout.indexOf('CONSUMER')).toBeGreaterThan(0)
    expect(ran.stdout.indexOf('CONSUMER')).toBeLessThan(ran.stdout.indexOf('tokens: 1 revoked;'))
    expect(ran.stdout).toMatch(/^feed: 1 revoked; [\w-]{43} signs now$/mu)
    for (const ring of service.rings) await ring.refresh()
    expect(kidOf()).not.toBe(kid)
    expect(await isActive(accessToken)).toBe(false)
    expect((await signIn()).accessToken).toBeTruthy()
    expect(await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')).toContain('"reason":"INC-42"')
  })

  it('is refused without --compromised, and for a key that is not there', async () => {
    const without = await here.run(['keys', 'revoke', kidOf(), '--json'])
    expect([without.exitCode, without.json()]).toMatchObject([2, { error: { code: 'wrong_usage' } }])
    const unknown = await here.run(['keys', 'revoke', 'k'.repeat(43), '--compromised', '--json'])
    expect([unknown.exitCode, unknown.json()]).toMatchObject([1, { error: { code: 'unknown_key' } }])
  })
})

describe('keys status', () => {
  it('shows what consumers acknowledged', async () => {
    const { client, secret } = await service.issuer.clients.add({
      name: 'api',
      audiences: ['api'],
      grants: ['client_credentials'],
    })
    await here.run(['keys', 'rotate'])
    await service.issuer.acknowledge({
      client: { method: 'client_secret_basic', clientId: client.id, secret: secret ?? '' },
      acknowledgement: { consumer: 'api', instance: 'pod-1', kids: [kidOf()], position: { epoch: 7, seq: 3 } },
    })
    expect((await here.run(['keys', 'status'])).stdout).toMatch(/^api +pod-1 +not yet +7\.3 /mu)
    expect(await here.json(['keys', 'status'])).toMatchObject({
      acknowledged: [{ consumer: 'api', instance: 'pod-1' }],
    })
    const waiting = await here.json(['keys', 'rotate'])
    expect(waiting).toMatchObject({ done: false, waitingFor: ['propagation', 'api'] })
  })
})
