import { ConfigError, Problem } from '@countersign-apps/kit'
import { afterEach, describe, expect, it } from 'vitest'
import { readConfig } from '../src/config.ts'
import { makeToken, startApi, type World } from './fixtures.ts'

let api: World
afterEach(() => api.close())
const buy = (body: unknown, token = makeToken()) => api.call('POST', '/checkout', { token, body })

describe('checkout', () => {
  it('has the order billed with the token that came', async () => {
    const billed: unknown[] = []
    api = await startApi({
      checkout: {
        bill: async (...given) => {
          billed.push(given)
          return { id: 'job-1', state: 'queued' }
        },
        close: () => undefined,
      },
    })
    const token = makeToken({ scope: 'jobs:run' })
    const answer = await buy({ order: 'order-1', plan: 'team' }, token)
    expect([answer.status, answer.body]).toEqual([202, { job: 'job-1', state: 'queued' }])
    expect(billed).toEqual([[token, { order: 'order-1', plan: 'team' }]])
    for (const body of [{}, { order: 'a b', plan: 'team' }, { order: 'x', plan: 'free' }]) {
      expect((await buy(body)).status).toBe(400)
    }
    expect((await buy({ order: 'x', plan: 'team', amount: 1 })).status).toBe(400)
    expect(billed).toHaveLength(1)
  })

  it('answers what billing says', async () => {
    const bill = async () => {
      throw new Problem('conflict', 'Billing refused the order.')
    }
    api = await startApi({ checkout: { bill, close: () => undefined } })
    expect((await buy({ order: 'order-1', plan: 'team' })).status).toBe(409)
  })

  it('answers 503 where none is configured', async () => {
    api = await startApi()
    const answer = await buy({ order: 'order-1', plan: 'team' })
    expect([answer.status, answer.body.error]).toEqual([503, 'unavailable'])
  })

  it('is configured as a whole', async () => {
    api = await startApi()
    const whole = { BILLING_URL: 'http://127.0.0.1:4612', CLIENT_ID: 'agent-api', CLIENT_SECRET: 'secret' }
    expect(readConfig(whole).checkout).toEqual({
      billing: 'http://127.0.0.1:4612',
      client: { id: 'agent-api', secret: 'secret' },
    })
    expect(() => readConfig({ ...whole, CLIENT_SECRET: '' })).toThrow(ConfigError)
  })
})
