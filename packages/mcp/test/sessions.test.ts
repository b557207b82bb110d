import { describe, expect, it } from 'vitest'
import { Sessions } from '../src/v1/sessions.ts'

const setUp = (options = {}) => {
  const ended: string[] = []
  let nowMs = 0
  const sessions = new Sessions<string>(
    options,
    (server) => ended.push(server),
    () => nowMs,
  )
  const open = (id: string, owner = 'ada') => sessions.add(id, owner, id)
  return {
    sessions,
    ended,
    open,
    pass: (seconds: number) => {
      nowMs += seconds * 1000
    },
  }
}

describe('sessions', () => {
  it('end when nobody used them for too long, but not under an open stream', () => {
    const { sessions, ended, open, pass } = setUp({ idleSeconds: 60 })
    open('idle')
    open('listening').streams = 1
    const used = open('used')
    pass(59)
    sessions.use(used)
    pass(1)
    expect([sessions.find('idle'), sessions.find('listening')?.id, sessions.find('used')?.id]).toEqual([
      ...[undefined, 'listening', 'used'],
    ])
    pass(60)
    open('next')
    expect([ended, sessions.size]).toEqual([['idle', 'used'], 2])
  })

  it('give way to a caller’s own newer ones, the longest unused first', () => {
    const { sessions, ended, open } = setUp({ maxPerCaller: 2 })
    const first = open('first')
    open('second')
    open('of another', 'bob')
    sessions.use(first)
    open('third')
    expect(ended).toEqual(['second'])
  })

  it('are no more than there may be', () => {
    const { sessions, ended, open } = setUp({ max: 2 })
    for (const [index, owner] of ['ada', 'bob', 'eve'].entries()) open(String(index), owner)
    expect([ended, sessions.size]).toEqual([['0'], 2])
    sessions.clear()
    expect([ended, sessions.size]).toEqual([['0', '1', '2'], 0])
  })

  it.each([[{ max: 0 }], [{ maxPerCaller: 1.5 }], [{ idleSeconds: 1e9 }]])('refuse the bounds %j', (options) => {
    expect(() => setUp(options)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})
