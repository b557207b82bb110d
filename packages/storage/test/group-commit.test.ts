import { expect, it } from 'vitest'
import type { Operation } from '../src/operation.ts'
import type { Writes } from '../src/operations.ts'
import { GroupCommit, type Transactional } from '../src/sqlite/group-commit.ts'
import type { Answer, Request, SentError } from '../src/sqlite/protocol.ts'
import { StorageError } from '../src/storage-error.ts'

class SqliteFailure extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Writes down what it is asked to do; `fail` says when it fails. */
function setUp(fail: (step: string, nth: number) => string | undefined, options: { maxBatch?: number } = {}) {
  const steps: string[] = []
  const answers: Answer[] = []
  const fatal: SentError[] = []
  const timers: (() => void)[] = []
  let now = 0
  let inTransaction = false
  const step = (name: string): void => {
    steps.push(name)
    const code = fail(name, steps.filter((one) => one === name).length)
    if (code !== undefined) throw new SqliteFailure(code)
  }
  const connection: Transactional = {
    execute: () => ({ rows: [], changes: 0 }),
    begin() {
      step('begin')
      inTransaction = true
    },
    commit() {
      step('commit')
      inTransaction = false
    },
    rollback() {
      step('rollback')
      inTransaction = false
    },
    savepoint: () => step('savepoint'),
    release: () => step('release'),
    rollbackToSavepoint: () => step('rollback to'),
    get inTransaction() {
      return inTransaction
    },
  }
  const writes = {
    *endSession(id: string): Operation<boolean> {
      step(id)
      yield { statement: { sql: '', places: [] }, values: [] }
      return true
    },
  } as unknown as Writes
  const commits = new GroupCommit({
    connection,
    writes,
    maxBatch: options.maxBatch ?? 10,
    busyTimeoutMs: 100,
    answer(some, failure) {
      steps.push(`answer ${some.length}`)
      answers.push(...some)
      if (failure !== undefined) fatal.push(failure)
    },
    now: () => now,
    after: (_ms, call) => void timers.push(call),
  })
  return {
    commits,
    steps,
    fatal,
    outcomes: () => answers.map(([id, value, error]) => [id, error?.code ?? value]),
    push: (...ids: string[]) => commits.push(ids.map((id, i): Request => [i, 'endSession', [id]])),
    work() {
      while (commits.step());
    },
    elapse(ms: number) {
      now += ms
      for (const call of timers.splice(0)) call()
    },
  }
}

it('answers only after the commit of all', () => {
  const { push, work, steps, outcomes } = setUp(() => undefined)
  push('a', 'b')
  work()
  expect(steps).toEqual(['begin', 'a', 'b', 'commit', 'answer 2'])
  expect(outcomes()).toEqual([
    [0, true],
    [1, true],
  ])
})

it('takes no more than its share at once', () => {
  const { push, work, steps } = setUp(() => undefined, { maxBatch: 1 })
  push('a', 'b')
  work()
  expect(steps).toEqual(['begin', 'a', 'commit', 'answer 1', 'begin', 'b', 'commit', 'answer 1'])
})

it('rolls back alone a member that fails', () => {
  const { push, work, steps, outcomes } = setUp((step) => (step === 'b' ? 'SQLITE_CONSTRAINT_PRIMARYKEY' : undefined))
  push('a', 'b', 'c')
  work()
  expect(steps.join(', ')).toBe(
    'begin, a, b, rollback, ' +
      'begin, savepoint, a, release, savepoint, b, rollback to, release, savepoint, c, release, commit, answer 3',
  )
  expect(outcomes()).toEqual([
    [0, true],
    [1, 'conflict'],
    [2, true],
  ])
})

it('tries each alone when the whole transaction fails', () => {
  const { push, work, outcomes } = setUp((step) => (step === 'b' ? 'SQLITE_FULL' : undefined))
  push('a', 'b', 'c')
  work()
  expect(outcomes()).toEqual([
    [0, true],
    [1, 'full'],
    [2, true],
  ])
})

it('answers nobody as stored when the commit fails', () => {
  const { push, work, outcomes } = setUp((step) => (step === 'commit' ? 'SQLITE_FULL' : undefined))
  push('a', 'b')
  work()
  expect(outcomes()).toEqual([
    [0, 'full'],
    [1, 'full'],
  ])
})

it('writes nothing more after a failed sync', () => {
  const { push, work, steps, outcomes, fatal } = setUp((step) => (step === 'commit' ? 'SQLITE_IOERR_FSYNC' : undefined))
  push('a', 'b')
  work()
  const after = steps.length
  push('c')
  work()
  expect(steps.slice(after)).toEqual(['answer 1'])
  expect(outcomes().map(([, outcome]) => outcome)).toEqual(['io_error', 'io_error', 'io_error'])
  expect(fatal[0]).toMatchObject({ code: 'io_error', cause: { code: 'SQLITE_IOERR_FSYNC' } })
})

it('writes nothing more when it cannot roll back', () => {
  const { push, work, outcomes } = setUp((step) => {
    if (step === 'commit') return 'SQLITE_FULL'
    return step === 'rollback' ? 'SQLITE_ERROR' : undefined
  })
  push('a')
  work()
  push('b')
  work()
  expect(outcomes().map(([, outcome]) => outcome)).toEqual(['io_error', 'io_error'])
})

it('stops trying one by one as soon as a sync fails', () => {
  const { push, work, outcomes } = setUp((step, nth) => {
    if (step === 'commit') return nth === 1 ? 'SQLITE_FULL' : nth === 3 ? 'SQLITE_IOERR_FSYNC' : undefined
    return undefined
  })
  push('a', 'b', 'c')
  work()
  expect(outcomes().map(([, outcome]) => outcome)).toEqual([true, 'io_error', 'io_error'])
})

it('tries again for a lock, in the order of arrival, until each has waited long enough', () => {
  let isLocked = true
  const { push, work, elapse, steps, outcomes } = setUp((step) =>
    step === 'begin' && isLocked ? 'SQLITE_BUSY' : undefined,
  )
  push('a')
  work()
  work()
  expect(steps).toEqual(['begin'])
  elapse(60)
  push('b')
  work()
  elapse(60)
  work()
  expect(outcomes()).toEqual([[0, 'busy']])
  isLocked = false
  elapse(5)
  work()
  expect(outcomes()).toEqual([
    [0, 'busy'],
    [0, true],
  ])
  expect(steps.slice(-4)).toEqual(['begin', 'b', 'commit', 'answer 1'])
})

it('names an operation that does not exist, and a fault of its own', () => {
  const { commits, outcomes, push, work } = setUp((step) => (step === 'b' ? 'ERR_SOMETHING' : undefined))
  commits.push([[7, 'constructor', []]])
  push('b')
  work()
  expect(outcomes().map(([, outcome]) => outcome)).toEqual(['failed', 'failed'])
  expect(new StorageError('failed', '').remedy).toContain('Report')
})
