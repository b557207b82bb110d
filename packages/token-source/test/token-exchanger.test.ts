import { testClock } from '@countersign-tooling/clock'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTokenExchanger, type TokenExchangerOptions } from '../src/index.ts'
import { scriptedServer, send } from './scripted-server.ts'

/** RFC 8693 section 2.2.2 names the first; other servers say the second. */
const refusals: Readonly<Record<string, string>> = { ended: 'invalid_request', bad: 'invalid_grant' }

async function world(options: Partial<TokenExchangerOptions> = {}) {
  const server = await scriptedServer(({ form }, response, turn) => {
    const error = refusals[form.get('subject_token') ?? '']
    return error !== undefined
      ? send(response, 400, { error })
      : send(response, 200, {
          access_token: `${form.get('subject_token')}-for-${form.get('audience')}-${turn}`,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          token_type: 'Bearer',
          expires_in: 300,
        })
  })
  const clock = testClock()
  const exchanger = createTokenExchanger({
    issuer: server.issuer,
    client: { id: 'mcp-orchestrator', secret: 'x' },
    audience: 'mcp-coder',
    scope: 'code:write',
    clock,
    patienceMs: 0,
    ...options,
  })
  return { server, clock, exchanger }
}

describe('a token exchanger', () => {
  it("exchanges each caller's token once while the result lives", async () => {
    const { server, clock, exchanger } = await world()
    const asked = ['ada', 'bob', 'ada', 'ada', 'bob'].map((subject) => exchanger.getToken(subject))
    const [ada, bob, ...again] = await Promise.all(asked)
    expect(ada).toMatch(/^ada-for-mcp-coder-\d$/u)
    expect(bob).toMatch(/^bob-for-mcp-coder-\d$/u)
    expect(again).toEqual([ada, ada, bob])
    expect(server.asked).toHaveLength(2)
    expect(Object.fromEntries(server.asked[0]?.form ?? [])).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'code:write',
    })
    await clock.pass(296)
    expect(await exchanger.getToken('ada')).toBe('ada-for-mcp-coder-3')
    expect(clock.timers).toBe(0)
  })

  it('forgets what cannot be exchanged, and keeps what was asked for last', async () => {
    const { server, exchanger } = await world({ maxSubjects: 2 })
    await expect(exchanger.getToken('bad')).rejects.toMatchObject({ code: 'grant_refused' })
    await expect(exchanger.getToken('ended')).rejects.toMatchObject({ code: 'grant_refused' })
    expect(exchanger.size).toBe(0)
    await exchanger.getToken('ada')
    await exchanger.getToken('bob')
    await exchanger.getToken('ada')
    await exchanger.getToken('cleo')
    expect(exchanger.size).toBe(2)
    expect(await exchanger.getToken('ada')).toBe('ada-for-mcp-coder-3')
    expect(await exchanger.getToken('bob')).toBe('bob-for-mcp-coder-6')
    expect(server.asked).toHaveLength(6)
  })

  it("never gives one caller another's token", async () => {
    const subjects = fc.array(fc.constantFrom('ada', 'bob', 'cleo', 'dan', 'bad'), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(subjects, fc.integer({ min: 1, max: 4 }), async (order, maxSubjects) => {
        const { server, exchanger } = await world({ maxSubjects })
        const results = await Promise.allSettled(order.map((subject) => exchanger.getToken(subject)))
        results.forEach((result, at) => {
          if (order[at] === 'bad') expect(result.status).toBe('rejected')
          else expect(result).toMatchObject({ value: expect.stringMatching(new RegExp(`^${order[at]}-for-`, 'u')) })
        })
        expect(exchanger.size).toBeLessThanOrEqual(maxSubjects)
        exchanger.close()
        await server.close()
      }),
      { numRuns: 25 },
    )
  })

  it('closes', async () => {
    const { exchanger } = await world()
    await exchanger.getToken('ada')
    exchanger.close()
    expect(exchanger.size).toBe(0)
    await expect(exchanger.getToken('ada')).rejects.toMatchObject({ code: 'closed' })
  })

  it.each([0, 100_001, Number.NaN])('takes no %d subjects', (maxSubjects) => {
    const options = { issuer: 'https://auth.example.com', client: { id: 'x' }, maxSubjects }
    expect(() => createTokenExchanger(options)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})
