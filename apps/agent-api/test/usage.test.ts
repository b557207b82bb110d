import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageLog } from '../src/usage-log.ts'
import { makeToken, startApi, type World } from './fixtures.ts'

let api: World
beforeEach(async () => {
  api = await startApi({ clock: { now: () => 1_800_000_000.5 }, usage: new UsageLog(3) })
})
afterEach(() => api.close())

const ada = makeToken()
const service = makeToken({ sub: 'etl', client_id: 'etl', scope: 'usage:read' })
const page = (query: string, token = service) => api.call('GET', `/usage${query}`, { token })

describe('usage', () => {
  it('tells of every message, and nothing of who wrote it', async () => {
    const made = await api.call('POST', '/agents', { token: ada, body: { name: 'Guide' } })
    await api.call('POST', '/chat', { token: ada, body: { message: 'two words' } })
    await api.call('POST', '/chat', { token: ada, body: { message: 'needle', agent: made.body.id } })
    const { body } = await page('')
    expect(body).toMatchObject({ oldest: 1, latest: 2 })
    expect(body.usage).toEqual([
      { sequence: 1, agent: 'concierge', words: expect.any(Number), at: 1_800_000_000 },
      { sequence: 2, agent: 'own', words: expect.any(Number), at: 1_800_000_000 },
    ])
    for (const secret of ['ada', 'web', 'needle', String(made.body.id)])
      expect(JSON.stringify(body)).not.toContain(secret)
  })

  it('comes in pages, without the oldest once there are too many, and says so', async () => {
    for (let index = 0; index < 5; index += 1) await api.call('POST', '/chat', { token: ada, body: { message: 'x' } })
    const sequences = async (query: string) =>
      ((await page(query)).body.usage as { sequence: number }[]).map(({ sequence }) => sequence)
    expect((await page('')).body.oldest).toBe(3)
    expect(await sequences('?limit=2')).toEqual([3, 4])
    expect(await sequences('?after=4')).toEqual([5])
    expect(await sequences('?after=5')).toEqual([])
    expect(await sequences('?after=999999999999999')).toEqual([])
  })

  it.each([
    ['a person', { scope: 'usage:read' }],
    ['a person with a name like a client', { sub: 'web2', client_id: 'web', scope: 'usage:read' }],
    ['somebody through whom another acts', { sub: 'etl', client_id: 'etl', scope: 'usage:read', act: { sub: 'x' } }],
  ])('is not for %s', async (_who, change) => {
    const answer = await page('', makeToken(change))
    expect([answer.status, answer.body.error]).toEqual([403, 'forbidden'])
  })

  it.each(['?limit=0', '?limit=1001', '?limit=x', '?after=-1', '?after=1&after=2', '?after=1.5', '?needle=1'])(
    'refuses %s',
    async (query) => {
      const answer = await page(query)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      expect(JSON.stringify(answer.body)).not.toContain('needle')
    },
  )
})

it('begins another log at each start', () => {
  expect(new UsageLog(1).page(0, 1).log).not.toBe(new UsageLog(1).page(0, 1).log)
})
