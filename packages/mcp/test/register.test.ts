import { describe, expect, it } from 'vitest'
import { Caller } from '../src/core/caller.ts'
import { createCore } from '../src/core/core.ts'
import { type Fitting, register } from '../src/core/register.ts'
import { makeGuard, makeRevocations, makeToken } from './fixtures.ts'

/** A server of no SDK: what was registered can be called past every door. */
async function setUp(scope: string) {
  const revocations = makeRevocations()
  const guard = makeGuard({ revocations })
  const core = createCore({ guard })
  const ran: string[] = []
  core.registry.add({
    ...{ kind: 'tool', name: 'write', declaration: { scopes: ['code:write'] } },
    handler: () => ran.push('write'),
  })
  const decision = await guard.admit({ token: makeToken(scope) })
  if (!decision.admitted) throw new Error(decision.code)
  const handlers = new Map<string, (context: object) => unknown>()
  const server = {
    registerTool: (name: string, _config: never, handler: never) => handlers.set(name, handler),
    registerPrompt: () => {},
    registerResource: () => {},
  }
  const fitting: Fitting<typeof server, object> = {
    sdk: {
      server: (one) => one,
      template: () => undefined,
      signalOf: () => new AbortController().signal,
      notAllowed: () => new Error('not allowed'),
      setList: () => {},
    },
    ...{ server, core, listHint: {}, readHint: {} },
    ticketOf: () => ({ caller: new Caller(decision.principal, undefined, {}), signal: undefined, traceId: undefined }),
  }
  register(fitting, core.registry.all())
  return { ran, revocations, run: () => handlers.get('write')?.({}) }
}

describe('a handler that was reached past the door', () => {
  it('runs for who may use it', async () => {
    const { ran, run } = await setUp('code:write')
    run()
    expect(ran).toEqual(['write'])
  })

  it('does not run for anybody else, nor for who was revoked meanwhile', async () => {
    const stranger = await setUp('code:read')
    expect(stranger.run).toThrow('not allowed')
    const gone = await setUp('code:write')
    gone.revocations.revoke('user_1')
    expect(gone.run).toThrow('not allowed')
    expect([stranger.ran, gone.ran]).toEqual([[], []])
  })
})
