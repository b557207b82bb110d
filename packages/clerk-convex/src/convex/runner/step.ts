import type { MutationAuth, SignJwtClaims } from 'convex/server'
import type { Grants, RunnerAuditEntry, RunnerClaims } from '../../runner/options.ts'
import { longestLifeSeconds } from '../../runner/options.ts'
import type { RunnerRefusalCode } from '../../runner/runner-refused.ts'
import type { Pairing, Runner, RunnerStore } from '../../runner/runner-store.ts'
import type { AuthWriter, Origin } from '../audit.ts'
import { authWriter, type RawMutationContext } from '../contexts.ts'
import type { Setting } from '../options.ts'
import { addressOf } from './address.ts'
import { recordRefusal, recordRunner } from './audit.ts'
import { dbRunnerStore, noteProof } from './db-store.ts'
import { findRunner } from './find-runner.ts'
import { type Claimant, grantsOf } from './grants.ts'
import { askForKeys, type HeldKeys, keepKeys } from './held-keys.ts'
import type { ReadOptions } from './read-options.ts'

/** What an HTTP action asks of the database: each is one transaction. */
export type RunnerStep =
  | { readonly type: 'pair'; readonly pairing: Pairing; readonly shown?: ShownProof }
  | { readonly type: 'sender'; readonly thumbprint: string; readonly shown?: ShownProof }
  | { readonly type: 'store'; readonly call: StoreCall }
  | ({ readonly type: 'use' } & ShownProof)
  | { readonly type: 'grants'; readonly claimant: Claimant }
  | ({ readonly type: 'admit' } & Admission)
  | ({ readonly type: 'issue' } & Issue)
  | { readonly type: 'refused'; readonly at: Refused['at']; readonly code: Refused['code']; readonly runner?: string }
  | { readonly type: 'keys'; readonly kid: string }
  | { readonly type: 'keep_keys'; readonly jwks: string }

/** A call of {@link RunnerStore}. */
export type StoreCall = {
  [Method in keyof RunnerStore]: { readonly method: Method; readonly args: Parameters<RunnerStore[Method]> }
}[keyof RunnerStore]

/** A proof that holds unless it was used before. */
export interface ShownProof {
  readonly proof: string
  readonly until: number
}

/** A request with a token that holds and a proof that would. */
export interface Admission extends ShownProof {
  readonly runner: string
  readonly person: string
}

export interface Admitted {
  readonly seen: boolean
  readonly runner: Runner | null
  readonly granted: Grants | null
}

/** A token that is to be signed. */
export interface Issue {
  readonly claims: RunnerClaims
  readonly lifeSeconds: number
  readonly grant: Extract<RunnerAuditEntry, { type: 'token_issued' }>['grant']
}

export type Issued = { readonly token: string } | { readonly refused: RunnerRefusalCode }

type Refused = Extract<RunnerAuditEntry, { type: 'refused' }>

/** What each step answers. */
export interface StepAnswers {
  readonly pair: 'added' | 'taken' | 'too_many' | 'replayed'
  readonly sender: { readonly runner: Runner | null; readonly replayed: boolean }
  readonly store: unknown
  readonly use: boolean
  readonly grants: Grants | null
  readonly admit: Admitted
  readonly issue: Issued
  readonly refused: null
  readonly keys: HeldKeys
  readonly keep_keys: null
}

const hourSeconds = 3_600

interface At {
  readonly db: AuthWriter
  readonly auth: RawMutationContext['auth']
  readonly setting: Setting
  readonly options: ReadOptions
  readonly origin: Origin
}

/** The one internal mutation behind the routes of runners. */
export function takeStep(
  setting: Setting,
  options: ReadOptions,
): (ctx: RawMutationContext, args: { readonly call: RunnerStep }) => Promise<unknown> {
  return async (ctx: RawMutationContext, { call }: { readonly call: RunnerStep }): Promise<unknown> => {
    const { ip, userAgent, requestId } = await ctx.meta.getRequestMetadata()
    const at: At = { db: authWriter(ctx.db), auth: ctx.auth, setting, options, origin: { ip, userAgent, requestId } }
    switch (call.type) {
      case 'pair':
        return pair(at, call.pairing, call.shown)
      case 'sender':
        return sender(at, call.thumbprint, call.shown)
      case 'store':
        return callStore(dbRunnerStore(at.db), call.call)
      case 'use':
        return noteProof(at.db, call.proof, call.until)
      case 'grants':
        return (await grantsOf(at.db, setting, options.scopes, call.claimant)) ?? null
      case 'admit':
        return admit(at, call)
      case 'issue':
        return issue(at, call)
      case 'refused': {
        const { runner } = call
        await recordRefusal(at.db, setting, call, runner === undefined ? {} : await aboutRunner(at, runner), at.origin)
        return null
      }
      case 'keys':
        return askForKeys(at.db, setting.now(), call.kid)
      case 'keep_keys':
        await keepKeys(at.db, setting.now(), call.jwks)
        return null
    }
  }
}

async function callStore(store: RunnerStore, { method, args }: StoreCall): Promise<unknown> {
  // A method and its own arguments: the union that says so cannot be called.
  const run = store[method] as (...given: readonly unknown[]) => Promise<unknown>
  return (await run(...args)) ?? null
}

/** Begins a pairing, as long as neither its address nor all together have begun too many. */
async function pair(
  { db, setting, options, origin }: At,
  pairing: Pairing,
  shown: ShownProof | undefined,
): Promise<StepAnswers['pair']> {
  const address = addressOf(origin.ip)
  const { pairings, pairingsPerAddress } = options.limits
  const since = setting.now() - hourSeconds
  const query = db.query('authRunnerPairings')
  const all = await query.withIndex('by_start', (q) => q.gt('startedAt', since)).take(pairings)
  const own = all.filter((row) => row.address === address)
  if (all.length >= pairings || (address !== undefined && own.length >= pairingsPerAddress)) return 'too_many'
  const store = dbRunnerStore(db, address)
  if ((await store.pairingByUserCode(pairing.userCode)) !== undefined) return 'taken'
  if (await isReplayed(db, shown)) return 'replayed'
  await store.addPairing(pairing)
  const { name, thumbprint } = pairing
  await recordRunner(db, setting, { type: 'pairing_started', name, thumbprint }, {}, origin)
  return 'added'
}

/** The runner of a key. Its proof is noted if there is one: a stranger, who can make keys and proofs, leaves nothing. */
async function sender({ db }: At, thumbprint: string, shown: ShownProof | undefined): Promise<StepAnswers['sender']> {
  const runner = await dbRunnerStore(db).runnerByKey(thumbprint)
  if (runner === undefined) return { runner: null, replayed: false }
  return { runner, replayed: await isReplayed(db, shown) }
}

async function isReplayed(db: AuthWriter, shown: ShownProof | undefined): Promise<boolean> {
  return shown !== undefined && (await noteProof(db, shown.proof, shown.until))
}

/** Notes the proof and reads who it is for, in one transaction. */
async function admit({ db, setting, options }: At, { proof, until, runner: id, person }: Admission): Promise<Admitted> {
  if (await noteProof(db, proof, until)) return { seen: true, runner: null, granted: null }
  const runner = await dbRunnerStore(db).runnerById(id)
  if (runner === undefined) return { seen: false, runner: null, granted: null }
  const { organization, workspace } = runner
  const granted = await grantsOf(db, setting, options.scopes, { person, organization, workspace })
  return { seen: false, runner, granted: granted ?? null }
}

/** Signs what still holds: membership, role, workspace, runner and epoch are read in the transaction that signs. */
async function issue(
  { db, auth, setting, options, origin }: At,
  { claims, lifeSeconds, grant }: Issue,
): Promise<Issued> {
  const { sub: person, client_id: id, org: organization, ws: workspace, scope, cnf, ep, jti } = claims
  const row = await findRunner(db, id)
  if (row === null || row.thumbprint !== cnf.jkt) return { refused: 'unpaired_runner' }
  if (row.revoked) return { refused: 'runner_revoked' }
  if (row.epoch !== ep) return { refused: 'epoch_revoked' }
  if (row.organization !== organization) return { refused: 'foreign_organization' }
  if (row.workspace !== workspace) return { refused: 'foreign_workspace' }
  if (lifeSeconds > longestLifeSeconds) return { refused: 'life_too_long' }
  const granted = await grantsOf(db, setting, options.scopes, { person, organization, workspace })
  if (granted === undefined) return { refused: 'not_a_member' }
  if (granted.workspaces.length === 0) return { refused: 'foreign_workspace' }
  const isWithin = (one: string): boolean => row.scopes.includes(one) && granted.scopes.includes(one)
  if (!scope.split(' ').every(isWithin)) return { refused: 'scope_too_wide' }
  const entry = { type: 'token_issued', runner: id, subject: person, organization, tokenId: jti, grant } as const
  await recordRunner(db, setting, entry, { workspace }, origin)
  // A record of strings and numbers, which the compiler does not see in an interface.
  const token = await (auth as MutationAuth).signJwt({
    claims: { ...claims } as unknown as SignJwtClaims,
    expiresInSeconds: lifeSeconds,
  })
  return { token }
}

async function aboutRunner({ db }: At, id: string) {
  const row = await findRunner(db, id)
  if (row === null) return {}
  const { runner, organization, workspace } = row
  return { runner, organization, workspace }
}
