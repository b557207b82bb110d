import type { Pairing, Runner, RunnerStore } from './runner-store.ts'

/** A {@link RunnerStore} of one process, for tests and trials: it forgets everything with it. */
export function memoryRunnerStore(): RunnerStore {
  const pairings = new Map<string, Pairing>()
  const runners = new Map<string, Runner>()
  const wrong: { readonly person: string; readonly at: number }[] = []

  const live = (): Runner[] => [...runners.values()].filter((runner) => !runner.revoked)
  const change = (hash: string, part: Partial<Pairing>): void => {
    const pairing = pairings.get(hash)
    if (pairing !== undefined) pairings.set(hash, { ...pairing, ...part })
  }
  const byUserCode = (code: string): Pairing | undefined => [...pairings.values()].find((one) => one.userCode === code)
  const count = (person: string, since: number): number =>
    wrong.filter((one) => one.person === person && one.at >= since).length

  return {
    addPairing: async (pairing) => {
      if (byUserCode(pairing.userCode) !== undefined) return false
      pairings.set(pairing.deviceCodeHash, pairing)
      return true
    },
    pairingByDeviceCode: async (hash) => pairings.get(hash),
    pairingByUserCode: async (code) => byUserCode(code),
    notePoll: async (hash, lastPollAt, intervalSeconds) => change(hash, { lastPollAt, intervalSeconds }),
    approve: async (hash, runner) => {
      if (pairings.get(hash)?.state !== 'pending') return 'not_pending'
      if (live().some(({ thumbprint }) => thumbprint === runner.thumbprint)) return 'key_in_use'
      const { organization, workspace, name } = runner
      const namesake = live().some(
        (one) => one.organization === organization && one.workspace === workspace && one.name === name,
      )
      if (namesake) return 'second_key'
      runners.set(runner.id, runner)
      change(hash, { state: 'approved' })
      return 'approved'
    },
    movePairing: async (hash, from, to) => {
      if (pairings.get(hash)?.state !== from) return false
      change(hash, { state: to })
      return true
    },
    runnerByKey: async (thumbprint) => {
      const found = [...runners.values()].filter((runner) => runner.thumbprint === thumbprint)
      return found.find((runner) => !runner.revoked) ?? found.at(-1)
    },
    runnerById: async (id) => runners.get(id),
    endTokens: async (id, revoke) => {
      const runner = runners.get(id)
      if (runner === undefined) return undefined
      const ended = { ...runner, epoch: runner.epoch + 1, revoked: runner.revoked || revoke }
      runners.set(id, ended)
      return ended
    },
    countWrongCode: async (person, at, since) => {
      wrong.push({ person, at })
      return count(person, since)
    },
    wrongCodes: async (person, since) => count(person, since),
  }
}
