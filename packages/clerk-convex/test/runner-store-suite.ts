import { beforeEach, describe, expect, it } from 'vitest'
import type { Pairing, Runner, RunnerStore } from '../src/runner/index.ts'

const pairing: Pairing = {
  deviceCodeHash: 'hash_1',
  userCode: 'BCDFGHJK',
  thumbprint: 'key_1',
  name: 'builder',
  scopes: ['jobs:run'],
  state: 'pending',
  startedAt: 1_800_000_000,
  expiresAt: 1_800_000_600,
  intervalSeconds: 5,
}
const runner: Runner = {
  id: 'runner_1',
  name: 'builder',
  organization: 'org_1',
  workspace: 'ws_1',
  owner: 'user_1',
  thumbprint: 'key_1',
  scopes: ['jobs:run'],
  epoch: 1,
  revoked: false,
  pairedAt: 1_800_000_000,
}

/** What every store of runners keeps to. */
export function describeRunnerStore(name: string, open: () => RunnerStore | Promise<RunnerStore>): void {
  describe(`runners in ${name}`, () => {
    let store: RunnerStore
    beforeEach(async () => {
      store = await open()
    })
    const second = { ...pairing, deviceCodeHash: 'hash_2', userCode: 'LMNPQRST' }

    it('finds a pairing by both of its codes, and no user code twice', async () => {
      expect(await store.addPairing(pairing)).toBe(true)
      expect(await store.addPairing({ ...second, userCode: pairing.userCode })).toBe(false)
      expect(await store.pairingByDeviceCode('hash_1')).toEqual(pairing)
      expect(await store.pairingByUserCode('BCDFGHJK')).toEqual(pairing)
      expect(await store.pairingByDeviceCode('hash_2')).toBeUndefined()
      expect(await store.pairingByUserCode('LMNPQRST')).toBeUndefined()
    })

    it('notes polls', async () => {
      await store.addPairing(pairing)
      await store.notePoll('hash_1', 1_800_000_007.5, 10)
      const polled = { ...pairing, lastPollAt: 1_800_000_007.5, intervalSeconds: 10 }
      expect(await store.pairingByDeviceCode('hash_1')).toEqual(polled)
    })

    it('moves a pairing once', async () => {
      await store.addPairing(pairing)
      const moves = [store.movePairing('hash_1', 'pending', 'denied'), store.movePairing('hash_1', 'pending', 'denied')]
      expect((await Promise.all(moves)).sort()).toEqual([false, true])
      expect(await store.movePairing('hash_2', 'pending', 'denied')).toBe(false)
      expect(await store.approve('hash_1', runner)).toBe('not_pending')
      expect(await store.runnerById('runner_1')).toBeUndefined()
    })

    it('approves both or neither: one key, one name', async () => {
      await store.addPairing(pairing)
      await store.addPairing(second)
      expect(await store.approve('hash_1', runner)).toBe('approved')
      expect(await store.approve('hash_1', { ...runner, id: 'runner_2' })).toBe('not_pending')
      const other = { ...runner, id: 'runner_2', thumbprint: 'key_2', name: 'other' }
      expect(await store.approve('hash_2', { ...other, thumbprint: 'key_1' })).toBe('key_in_use')
      expect(await store.approve('hash_2', { ...other, name: 'builder' })).toBe('second_key')
      expect((await store.pairingByDeviceCode('hash_2'))?.state).toBe('pending')
      expect(await store.runnerById('runner_2')).toBeUndefined()
      expect(await store.approve('hash_2', { ...other, name: 'builder', workspace: 'ws_2' })).toBe('approved')
      expect(await store.runnerByKey('key_1')).toEqual(runner)
      expect((await store.pairingByDeviceCode('hash_1'))?.state).toBe('approved')
    })

    it('counts epochs up, and frees key and name of a revoked runner only', async () => {
      await store.addPairing(pairing)
      await store.addPairing(second)
      await store.approve('hash_1', runner)
      expect(await store.endTokens('runner_1', false)).toEqual({ ...runner, epoch: 2 })
      expect(await store.approve('hash_2', { ...runner, id: 'runner_2' })).toBe('key_in_use')
      expect(await store.endTokens('runner_1', true)).toEqual({ ...runner, epoch: 3, revoked: true })
      expect(await store.endTokens('runner_1', false)).toMatchObject({ epoch: 4, revoked: true })
      expect(await store.endTokens('runner_x', true)).toBeUndefined()
      expect(await store.runnerByKey('key_1')).toMatchObject({ id: 'runner_1', revoked: true })
      expect(await store.approve('hash_2', { ...runner, id: 'runner_2' })).toBe('approved')
      expect(await store.runnerByKey('key_1')).toMatchObject({ id: 'runner_2', revoked: false })
    })

    it('counts wrong codes by person, within their time', async () => {
      expect(await store.countWrongCode('user_1', 100, 50)).toBe(1)
      expect(await store.countWrongCode('user_1', 110, 50)).toBe(2)
      expect(await store.countWrongCode('user_2', 110, 50)).toBe(1)
      expect(await store.wrongCodes('user_1', 105)).toBe(1)
      expect(await store.wrongCodes('user_1', 111)).toBe(0)
      expect(await store.wrongCodes('user_3', 0)).toBe(0)
    })
  })
}
