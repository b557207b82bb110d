import type { GenericDatabaseWriter } from 'convex/server'
import type { Pairing, Runner, RunnerStore } from '../../runner/runner-store.ts'
import { findRunner } from './find-runner.ts'
import type { PairingRow, RunnerDataModel, RunnerRow } from './tables.ts'

export type RunnerWriter = GenericDatabaseWriter<RunnerDataModel>

/** Wrong codes that are looked at: more than anybody is let give. */
const mostWrongCodes = 50

export function readRunner({
  runner,
  ...row
}: RunnerRow & { readonly _id?: unknown; readonly _creationTime?: unknown }): Runner {
  const { _id, _creationTime, ...rest } = row
  return { id: runner, ...rest }
}

function readPairing(row: PairingRow & { readonly _id: unknown; readonly _creationTime: unknown }): Pairing {
  const { _id, _creationTime, address, ...pairing } = row
  return pairing
}

/** The store inside of one mutation: what it does is done with the mutation, or not at all. */
export function dbRunnerStore(db: RunnerWriter, address?: string): RunnerStore {
  const pairingRow = (deviceCodeHash: string) =>
    db
      .query('authRunnerPairings')
      .withIndex('by_device_code', (q) => q.eq('deviceCodeHash', deviceCodeHash))
      .unique()
  const byUserCode = (userCode: string) =>
    db
      .query('authRunnerPairings')
      .withIndex('by_user_code', (q) => q.eq('userCode', userCode))
      .unique()
  const ofKey = (thumbprint: string, revoked: boolean) =>
    db.query('authRunners').withIndex('by_key', (q) => q.eq('thumbprint', thumbprint).eq('revoked', revoked))
  const wrongCodes = async (person: string, since: number): Promise<number> => {
    const query = db.query('authRunnerWrongCodes')
    const rows = await query.withIndex('by_person', (q) => q.eq('person', person).gte('at', since)).take(mostWrongCodes)
    return rows.length
  }

  return {
    addPairing: async (pairing) => {
      if ((await byUserCode(pairing.userCode)) !== null) return false
      const row = { ...pairing, scopes: [...pairing.scopes] }
      await db.insert('authRunnerPairings', address === undefined ? row : { ...row, address })
      return true
    },
    pairingByDeviceCode: async (hash) => {
      const row = await pairingRow(hash)
      return row === null ? undefined : readPairing(row)
    },
    pairingByUserCode: async (code) => {
      const row = await byUserCode(code)
      return row === null ? undefined : readPairing(row)
    },
    notePoll: async (hash, lastPollAt, intervalSeconds) => {
      const row = await pairingRow(hash)
      if (row !== null) await db.patch(row._id, { lastPollAt, intervalSeconds })
    },
    approve: async (hash, runner) => {
      const row = await pairingRow(hash)
      if (row?.state !== 'pending') return 'not_pending'
      if ((await ofKey(runner.thumbprint, false).first()) !== null) return 'key_in_use'
      const { id, organization, workspace, name, scopes, ...rest } = runner
      const namesake = await db
        .query('authRunners')
        .withIndex('by_name', (q) =>
          q.eq('organization', organization).eq('workspace', workspace).eq('revoked', false).eq('name', name),
        )
        .first()
      if (namesake !== null) return 'second_key'
      await db.insert('authRunners', { runner: id, organization, workspace, name, scopes: [...scopes], ...rest })
      await db.patch(row._id, { state: 'approved' })
      return 'approved'
    },
    movePairing: async (hash, from, to) => {
      const row = await pairingRow(hash)
      if (row?.state !== from) return false
      await db.patch(row._id, { state: to })
      return true
    },
    runnerByKey: async (thumbprint) => {
      const row = (await ofKey(thumbprint, false).first()) ?? (await ofKey(thumbprint, true).order('desc').first())
      return row === null ? undefined : readRunner(row)
    },
    runnerById: async (id) => {
      const row = await findRunner(db, id)
      return row === null ? undefined : readRunner(row)
    },
    endTokens: async (id, revoke) => {
      const row = await findRunner(db, id)
      if (row === null) return undefined
      const ended = { epoch: row.epoch + 1, revoked: row.revoked || revoke }
      await db.patch(row._id, ended)
      return readRunner({ ...row, ...ended })
    },
    countWrongCode: async (person, at, since) => {
      await db.insert('authRunnerWrongCodes', { person, at })
      return await wrongCodes(person, since)
    },
    wrongCodes,
  }
}

/** Notes a proof; true if it was there before. */
export async function noteProof(db: RunnerWriter, proof: string, until: number): Promise<boolean> {
  const query = db.query('authUsedProofs')
  const seen = await query.withIndex('by_proof', (q) => q.eq('proof', proof)).first()
  if (seen !== null) return true
  await db.insert('authUsedProofs', { proof, until })
  return false
}
