import { EventEmitter } from 'node:events'
import type { PrincipalEnd } from '@countersign/guard'
import type { Issuer } from '@countersign/issuer'
import type { Clock, Principal } from '@countersign/tokens'
import { Problem } from '@countersign-apps/kit'
import type { Response } from 'express'
import { describe, expect, it } from 'vitest'
import { HelpDesk } from '../src/help-desk.ts'
import { EventStreams } from '../src/pages/event-streams.ts'
import { RevocationBoard } from '../src/revocation-board.ts'
import { relative } from '../src/views/times.ts'

type Acknowledged = Awaited<ReturnType<Issuer['acknowledgements']>>

/** Time that passes when told to; `pass` also lets promises settle. */
function testClock() {
  let nowMs = 1_800_000_000_000
  let waiting: { readonly atMs: number; readonly call: () => void }[] = []
  const clock: Clock = {
    now: () => nowMs / 1000,
    monotonicMs: () => nowMs,
    after(ms, call) {
      const entry = { atMs: nowMs + ms, call }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((one) => one !== entry)
      }
    },
  }
  return {
    clock,
    waiting: () => waiting.length,
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        nowMs += Math.min(100, left)
        const due = waiting.filter(({ atMs }) => atMs <= nowMs)
        waiting = waiting.filter(({ atMs }) => atMs > nowMs)
        for (const { call } of due) call()
        for (let i = 0; i < 8; i++) await Promise.resolve()
      }
    },
  }
}

function bench() {
  const time = testClock()
  const state = { asked: 0, acknowledged: [] as Acknowledged, fault: undefined as Error | undefined }
  const faults: unknown[] = []
  const issuer = {
    async acknowledgements() {
      state.asked += 1
      if (state.fault !== undefined) throw state.fault
      return state.acknowledged
    },
  }
  const onFault = (error: unknown): void => void faults.push(error)
  const board = new RevocationBoard({ issuer, audiences: ['agent-api'], clock: time.clock, onFault })
  const revoke = (seq = 7) =>
    board.add({
      session: { id: 'session-1', userId: 'user_ada' },
      operator: 'user_olga',
      reason: 'ticket 4711',
      position: { epoch: 1, seq },
      sinceMs: time.clock.monotonicMs(),
    })
  const held = (seq: number, instance = 'one') =>
    ({ consumer: 'agent-api', instance, kids: [], position: { epoch: 1, seq }, at: 1 }) as const
  return { ...time, state, faults, board, revoke, held }
}

describe('the board of revocations', () => {
  it('asks the store while somebody is waited for, and no longer', async () => {
    const { pass, state, board, revoke, held, waiting } = bench()
    state.acknowledged = [held(6)]
    const { id, isComplete } = await revoke()
    expect(isComplete).toBe(false)
    await pass(1_000)
    state.acknowledged = [held(7)]
    await pass(400)
    const [agentApi] = board.get(id)?.consumers ?? []
    expect(agentApi).toMatchObject({ state: 'acknowledged', instances: 1 })
    expect(agentApi?.afterMs).toBeGreaterThanOrEqual(1_000)
    expect(agentApi?.afterMs).toBeLessThanOrEqual(1_400)
    const { asked } = state
    await pass(5_000)
    expect([state.asked, waiting()]).toEqual([asked, 0])
  })

  it('gives up asking after a minute, and holds what it saw', async () => {
    const { pass, state, board, revoke, held, waiting } = bench()
    state.acknowledged = [held(6)]
    const { id } = await revoke()
    await pass(61_000)
    expect(waiting()).toBe(0)
    expect(board.get(id)?.isComplete).toBe(false)
    state.acknowledged = [held(9)]
    await board.look()
    expect(board.get(id)?.isComplete).toBe(true)
  })

  it('waits for every process, and counts one that is gone no more', async () => {
    const { state, board, revoke, held } = bench()
    state.acknowledged = [held(7, 'one'), held(6, 'two')]
    const { id } = await revoke()
    expect(board.get(id)?.consumers).toMatchObject([{ state: 'waiting', instances: 2 }])
    state.acknowledged = [held(7, 'one')]
    await board.look()
    expect(board.get(id)?.consumers).toMatchObject([{ state: 'acknowledged', instances: 1 }])
    state.acknowledged = []
    await board.look()
    expect(board.get(id)?.consumers).toMatchObject([{ state: 'silent', instances: 0, afterMs: null }])
  })

  it('goes on when the store fails for a moment, and keeps the last 200', async () => {
    const { pass, state, faults, board, revoke, held } = bench()
    state.acknowledged = [held(6)]
    const { id } = await revoke()
    state.fault = new Error('the store is away')
    await pass(1_000)
    state.fault = undefined
    state.acknowledged = [held(7)]
    await pass(400)
    expect(faults.length).toBeGreaterThan(0)
    expect(board.get(id)?.isComplete).toBe(true)
    for (let i = 0; i < 200; i++) await revoke()
    expect(board.get(id)).toBeUndefined()
  })
})

class FakeResponse extends EventEmitter {
  text = ''
  isEnded = false
  set(): void {}
  write(text: string): void {
    this.text += text
  }
  end(): void {
    this.isEnded = true
    this.emit('close')
  }
}

describe('a stream of acknowledgements', () => {
  const principal = { subject: 'user_olga' } as Principal
  async function opened() {
    const made = bench()
    const { board, clock, state, held, revoke } = made
    state.acknowledged = [held(6)]
    let end = (_: PrincipalEnd): void => undefined
    let watched = 0
    const guard = {
      watch(_: Principal, onEnd: (end: PrincipalEnd) => void) {
        watched += 1
        end = onEnd
        return () => {
          watched -= 1
        }
      },
    }
    const streams = new EventStreams({ guard, board, clock })
    const { id } = await revoke()
    const open = (of = id): FakeResponse => {
      const response = new FakeResponse()
      streams.open(response as unknown as Response, principal, of)
      return response
    }
    return { ...made, streams, open, watched: () => watched, end: (how: PrincipalEnd) => end(how) }
  }

  it('tells each change once, and ends when all is told', async () => {
    const { open, pass, state, held, watched } = await opened()
    const response = open()
    await pass(2_000)
    expect(response.text.match(/event: state/g)).toHaveLength(1)
    state.acknowledged = [held(7)]
    await pass(500)
    expect(response.text.match(/event: state/g)).toHaveLength(2)
    expect(response.text).toMatch(/Acknowledged.*\n\nevent: done\n/)
    expect([response.isEnded, watched()]).toEqual([true, 0])
  })

  it('ends with its operator, after a minute, when the browser goes, and with the console', async () => {
    const one = await opened()
    const first = one.open()
    one.end({ reason: 'revoked' })
    expect([first.text.endsWith('event: over\ndata: \n\n'), first.isEnded]).toEqual([true, true])
    const late = one.open()
    await one.pass(61_000)
    expect([late.text.endsWith('event: done\ndata: \n\n'), late.isEnded]).toEqual([true, true])
    const gone = one.open()
    gone.emit('close')
    expect(one.watched()).toBe(0)
    const last = one.open()
    one.streams.close()
    expect([last.isEnded, one.watched()]).toEqual([true, 0])
  })

  it('is one of 200, and of a revocation that there is', async () => {
    const { open } = await opened()
    expect(() => open('nothing')).toThrow(Problem)
    for (let i = 0; i < 200; i++) open()
    expect(() => open()).toThrow(/Too many/)
  })
})

it('lets 500 customers ask for help, each once', () => {
  const desk = new HelpDesk({ watch: () => () => undefined }, { now: () => 1_000 })
  const ask = (subject: string) => desk.ask({ subject, expiresAt: 2_000 } as Principal, 'token', '')
  for (let i = 0; i < 500; i++) ask(`user_${i}`)
  expect(() => ask('user_500')).toThrow(Problem)
  const again = ask('user_7')
  expect(desk.list()).toHaveLength(500)
  expect(desk.get(again.id).subject).toBe('user_7')
  desk.close()
  expect(desk.list()).toEqual([])
})

it('says how far away an instant is', () => {
  expect([relative(1_000, 1_000), relative(1_090, 1_000), relative(1_000, 90_000), relative(400_000, 1_000)]).toEqual([
    '0 s ago',
    'in 1 min',
    '1 d ago',
    'in 4 d',
  ])
})
