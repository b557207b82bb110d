import { ConfigError, Problem } from '@countersign-apps/kit'
import { afterEach, describe, expect, it } from 'vitest'
import { readConfig } from '../src/config.ts'
import { makeToken, startApi, type World } from './fixtures.ts'

let api: World
afterEach(() => api.close())
const ask = (body: unknown, token = makeToken()) => api.call('POST', '/support', { token, body })

describe('support', () => {
  it('is asked with the token that came, and a note of bounded length', async () => {
    const asked: unknown[] = []
    api = await startApi({
      support: {
        ask: async (...given) => {
          asked.push(given)
          return { expiresAt: 1_800_000_000 }
        },
        close: () => undefined,
      },
    })
    const token = makeToken({ scope: 'conversations:read' })
    const answer = await ask({ note: 'It does not load.' }, token)
    expect([answer.status, answer.body]).toEqual([202, { expires_at: 1_800_000_000 }])
    expect((await ask({}, token)).status).toBe(202)
    expect(asked).toEqual([
      [token, 'It does not load.'],
      [token, ''],
    ])
    for (const body of [{ note: 'x'.repeat(501) }, { note: 1 }, { subject: 'bob' }]) {
      expect((await ask(body)).status).toBe(400)
    }
    expect(asked).toHaveLength(2)
    expect((await ask({}, makeToken({ synthetic: true }))).status).toBe(403)
    expect(asked).toHaveLength(2)
  })

  it('answers what went wrong, and 503 where none is configured', async () => {
    const refuse = async () => {
      throw new Problem('forbidden', 'This token cannot be used to ask for help: sign in again.')
    }
    api = await startApi({ support: { ask: refuse, close: () => undefined } })
    expect((await ask({})).status).toBe(403)
    await api.close()
    api = await startApi()
    expect([(await ask({})).status, (await ask({})).body.error]).toEqual([503, 'unavailable'])
  })

  it('is configured with an account', async () => {
    api = await startApi()
    const client = { id: 'agent-api', secret: 'secret' }
    const whole = { SUPPORT_URL: 'http://127.0.0.1:4613', CLIENT_ID: client.id, CLIENT_SECRET: client.secret }
    expect(readConfig(whole)).toMatchObject({
      support: { console: 'http://127.0.0.1:4613', client },
      acknowledgeAs: client,
    })
    expect(() => readConfig({ ...whole, CLIENT_ID: '' })).toThrow(ConfigError)
    expect(() => readConfig({ SUPPORT_URL: whole.SUPPORT_URL })).toThrow(ConfigError)
  })
})
