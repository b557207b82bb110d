import type { Clock } from '@countersign/tokens'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import { parseKeyRingDocument } from './document-schema.ts'
import type { KeyRingEvent } from './events.ts'
import { hasPrivateHalf, type KeyCustody } from './key-custody.ts'
import type {
  ActivateOptions,
  Requested,
  RevokeOptions,
  RevokeOutcome,
  RewrapOutcome,
  RotateOptions,
  RotateOutcome,
} from './key-ring.ts'
import { isKeysError, KeysError } from './keys-error.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import type { AuditActor, KeyAudit, KeyConfirmations, KeyRingStore } from './ports.ts'
import { createRingGate, refuseBlank } from './ring-gate.ts'
import { createRingRecord, type Motive, mostReasonCharacters } from './ring-record.ts'
import type { RingIdentity, RingView } from './ring-view.ts'
import type { Step } from './schedule.ts'
import {
  activate,
  activeKey,
  addPending,
  type Change,
  findKey,
  foundRing,
  isStandby,
  type MintedKey,
  noteLife,
  publish,
  reseal,
  retire,
  revoke,
  standbyKey,
  type Transition,
} from './transitions.ts'

export interface RingCommandsOptions {
  readonly identity: RingIdentity
  readonly view: RingView
  readonly store: KeyRingStore
  readonly custody: KeyCustody
  readonly clock: Clock
  readonly policy: ResolvedKeyPolicy
  readonly audit: KeyAudit | undefined
  readonly confirmations: readonly KeyConfirmations[]
  readonly emit: (event: KeyRingEvent) => void
}

export interface RingCommands {
  /** Reads the ring, or creates it. */
  open(): Promise<void>
  rotate(options: RotateOptions): Promise<RotateOutcome>
  activate(kid: string, options: ActivateOptions): Promise<void>
  revoke(kid: string, options: RevokeOptions): Promise<RevokeOutcome>
  rewrap(options: Requested): Promise<RewrapOutcome>
  /** Notes in the ring how long this process lets tokens live, if that is longer than noted. */
  noteLife(): Promise<void>
  /** Takes a step of the schedule, if it is still there to be taken. */
  take(step: Step): Promise<void>
  /** Lets the signer close, and later destroy, the keys that the ring has no more use for. */
  settleSigner(): Promise<void>
  /** Asks who does not have the standby yet. */
  confirm(): Promise<void>
  /** Who did not have the key when they were last asked for. */
  missing(kid: string): readonly string[]
  /** Resolves when no command is under way. */
  settled(): Promise<void>
}

/** More lost races in a row than this, and something is wrong. */
const mostLostRaces = 100

/** What to do next on the way to a goal: a change of the ring, or the goal's outcome. */
type Next<T> = { readonly change: Change } | { readonly met: T }

/** Everything that changes the ring. Each change is one compare-and-set, recorded before it is made. */
export function createRingCommands(options: RingCommandsOptions): RingCommands {
  const { identity, view, store, custody, clock, policy, audit, confirmations, emit } = options
  const { write, record } = createRingRecord(identity, audit)
  const gate = createRingGate({ identity, view, policy, confirmations, emit, record })

  async function commit(change: Change, motive: Motive): Promise<boolean> {
    // What could not be read back would stop every process: better to refuse it here.
    parseKeyRingDocument(change.document)
    await record(change, 'allowed', motive)
    const askedAtMs = clock.monotonicMs()
    let won: boolean
    try {
      won = await store.replace(change.document)
    } catch (error) {
      const reason = 'the store failed; whether it was done is not known'
      await record(change, 'denied', { ...motive, reason }).catch(() => {})
      throw new KeysError('store_failed', `the ring ${identity.name} could not be written`, { cause: error })
    }
    if (won) await view.adopt(change.document, askedAtMs)
    else await record(change, 'denied', { ...motive, reason: 'another process was first' })
    return won
  }

  /** Changes the ring until the goal is met. Whoever loses a race looks again, and may find the goal met. */
  async function pursue<T>(
    motive: Motive,
    decide: (document: KeyRingDocument) => Promise<Next<T>> | Next<T>,
  ): Promise<T> {
    let lost = 0
    while (lost <= mostLostRaces) {
      const next = await decide(view.snapshot.document)
      if ('met' in next) return next.met
      if (!(await commit(next.change, motive))) {
        lost += 1
        await view.refresh()
      }
    }
    throw contended(lost)
  }

  const contended = (lost: number): KeysError =>
    new KeysError('store_contended', `the ring ${identity.name} was changed by others ${lost} times in a row`)

  /** Commands of one process follow each other, so that they do not lose races against themselves. */
  let tail: Promise<unknown> = Promise.resolve()
  function inTurn<T>(command: () => Promise<T>): Promise<T> {
    const run = tail.then(command)
    tail = run.catch(() => {})
    return run
  }

  async function lookFirst(): Promise<void> {
    await view.refresh()
    // Below a second two clocks cannot be compared.
    const most = Math.max(1, policy.skewSeconds)
    if (view.skewSeconds() > most) {
      const skew = view.skewSeconds().toFixed(1)
      throw new KeysError('clock_skewed', `the local clock is ${skew} s from the store's, more than ${most} s`)
    }
  }

  /** Mints once for a whole command: a lost race does not make a further key. */
  function minter(): (known?: readonly KeyRecord[]) => Promise<MintedKey> {
    let minted: Promise<MintedKey> | undefined
    return (known = []) => {
      minted ??= custody.mint(known)
      return minted
    }
  }

  async function found(): Promise<void> {
    const mint = minter()
    for (let lost = 0; lost <= mostLostRaces; lost += 1) {
      let existing: KeyRingDocument | undefined
      try {
        existing = await store.read(identity.name)
      } catch (error) {
        if (isKeysError(error)) throw error
        throw new KeysError('store_failed', `the ring ${identity.name} could not be read`, { cause: error })
      }
      if (existing !== undefined) {
        await view.refresh()
        return await noteLifeNow()
      }
      const time = (await store.now?.()) ?? clock.now()
      const change = foundRing(identity, await mint(), time, policy.accessTokenLifeSeconds)
      if (await commit(change, {})) return
    }
    throw contended(mostLostRaces)
  }

  async function noteLifeNow(): Promise<void> {
    await pursue<void>({}, (document) => {
      const change = noteLife(document, view.now(), policy.accessTokenLifeSeconds)
      return change === undefined ? { met: undefined } : { change }
    })
  }

  async function rewrapNow({ actor = { type: 'system' } }: Requested): Promise<RewrapOutcome> {
    await view.refresh()
    const rewrapped = new Set<string>()
    return await pursue<RewrapOutcome>({ actor }, async (document) => {
      const id = await custody.kekId()
      const stale = document.keys.filter((key) => custody.isStale(key, id))
      if (stale.length === 0) return { met: { kekId: id, rewrappedKids: [...rewrapped] } }
      const sealed = new Map<string, string>()
      for (const key of stale) {
        sealed.set(key.kid, await custody.reseal(key))
        rewrapped.add(key.kid)
        const target = { type: 'key', id: key.kid } as const
        await write({
          action: 'key.rewrap',
          outcome: 'allowed',
          actor,
          target,
          details: { ring: identity.name, kek: id },
        })
      }
      return { change: reseal(document, sealed, view.now()) }
    })
  }

  async function rotateNow({ emergency, ...requested }: RotateOptions): Promise<RotateOutcome> {
    refuseBlank(emergency)
    await lookFirst()
    const motive = { ...requested, reason: emergency, overrides: gate.overridden(emergency, undefined) }
    const mint = minter()
    let goal: { readonly kid: string; readonly previousKid: string } | undefined
    return await pursue<RotateOutcome>(motive, async (document) => {
      const active = activeKey(document)
      const reached = goal !== undefined && !isStandby(findKey(document, goal.kid) ?? active)
      if (goal !== undefined && reached) {
        return { met: { done: true, activeKid: active.kid, previousKid: goal.previousKid } }
      }
      const standby = standbyKey(document)
      const step = standby?.state === 'published' ? 'activation' : 'publication'
      if (emergency === undefined) await gate.refuseBlackout(step, standby ?? active, requested.actor)
      if (standby === undefined) return { change: addPending(document, await mint(document.keys), view.now()) }
      if (standby.state === 'pending') return { change: publish(document, standby.kid, view.now()) }
      const waitingFor = await gate.waitsFor(standby, active)
      if (waitingFor.length > 0) {
        const { at: activatesAt, inBlackout } = gate.lawful(standby, emergency)
        return {
          met: {
            done: false,
            standbyKid: standby.kid,
            activatesAt,
            waitingFor: inBlackout ? [...waitingFor, 'blackout'] : waitingFor,
          },
        }
      }
      goal = { kid: standby.kid, previousKid: active.kid }
      return { change: activate(document, standby.kid, view.now(), policy.accessTokenLifeSeconds) }
    })
  }

  async function refuseActivation(key: KeyRecord, why: string, options: ActivateOptions): Promise<never> {
    const { actor, emergency } = options
    const transition: Transition = { kid: key.kid, from: key.state, to: 'active' }
    const refused: Change = { document: view.snapshot.document, transitions: [transition] }
    await record(refused, 'denied', { ...(actor === undefined ? {} : { actor }), reason: why })
    if (!isStandby(key)) {
      throw new KeysError(key.state === 'revoked' ? 'wrong_state' : 'too_late', `the key ${key.kid} is ${key.state}`)
    }
    const { at } = gate.lawful(key, emergency)
    const when = new Date(at * 1000).toISOString()
    throw new KeysError('too_early', `the key ${key.kid} may sign from ${when} on: it waits for ${why}`, {
      lawfulAt: at,
    })
  }

  async function activateNow(kid: string, options: ActivateOptions): Promise<void> {
    const { force, emergency, ...requested } = options
    refuseBlank(force)
    refuseBlank(emergency)
    await lookFirst()
    const reason =
      force === emergency || emergency === undefined ? force : [force, emergency].filter(Boolean).join('; ')
    const motive = { ...requested, reason, overrides: gate.overridden(emergency, force) }
    await pursue<void>(motive, async (document) => {
      const key = findKey(document, kid)
      if (key === undefined) throw new KeysError('key_unknown', `the ring ${identity.name} has no key ${kid}`)
      if (key.state === 'active') return { met: undefined }
      if (key.state !== 'pending' && key.state !== 'published') {
        return await refuseActivation(key, `it is ${key.state}`, options)
      }
      const step = key.state === 'published' ? 'activation' : 'publication'
      if (emergency === undefined) await gate.refuseBlackout(step, key, options.actor)
      if (key.state === 'pending') return { change: publish(document, kid, view.now()) }
      const waitingFor = force === undefined ? await gate.waitsFor(key, activeKey(document)) : []
      if (waitingFor.length > 0) return await refuseActivation(key, waitingFor.join(', '), options)
      return { change: activate(document, kid, view.now(), policy.accessTokenLifeSeconds) }
    })
  }

  async function revokeNow(kid: string, { actor, ...options }: RevokeOptions): Promise<RevokeOutcome> {
    const reason = options.reason.slice(0, mostReasonCharacters)
    const { scope = custody.leaksWithStore ? 'store' : 'key' } = options
    await view.refresh()
    const mint = minter()
    const requested = actor === undefined ? { reason } : { actor, reason }
    return await pursue<RevokeOutcome>(requested, async (document) => {
      const key = findKey(document, kid)
      if (key === undefined) throw new KeysError('key_unknown', `the ring ${identity.name} has no key ${kid}`)
      if (key.state === 'revoked') {
        const together = document.keys.filter(({ revokedAt }) => revokedAt === key.revokedAt)
        return { met: { revokedKids: together.map((one) => one.kid), activeKid: activeKey(document).kid } }
      }
      const leaked = document.keys.filter((one) => one.kid === kid || (scope === 'store' && hasPrivateHalf(one)))
      const kids = leaked.map((one) => one.kid)
      const standby = document.keys.find((one) => one.state === 'published' && !kids.includes(one.kid))
      const successor = kids.includes(activeKey(document).kid)
        ? (standby?.kid ?? (await mint(document.keys)))
        : undefined
      return {
        change: revoke(document, kids, { reason, lifeSeconds: policy.accessTokenLifeSeconds }, view.now(), successor),
      }
    })
  }

  /** The schedule was made some time ago: a step that somebody else has taken meanwhile is no step any more. */
  async function takeNow(step: Step): Promise<void> {
    const { document } = view.snapshot
    const actor: AuditActor = { type: 'scheduler' }
    if (step.kind !== 'retire' && gate.closedUntil(step.kind === 'activate' ? 'activation' : 'publication')) return
    const key = step.kind === 'mint' ? standbyKey(document) : findKey(document, step.kid)
    if (step.kind === 'mint') {
      if (key === undefined)
        await commit(addPending(document, await custody.mint(document.keys), view.now()), { actor })
    } else if (step.kind === 'publish' && key?.state === 'pending') {
      await commit(publish(document, step.kid, view.now()), { actor })
    } else if (step.kind === 'retire' && key?.state === 'retiring') {
      await commit(retire(document, step.kid, view.now()), { actor })
    } else if (step.kind === 'activate' && key?.state === 'published') {
      await lookFirst()
      const now = view.snapshot.document
      const same = findKey(now, step.kid)
      if (same?.state !== 'published' || (await gate.waitsFor(same, activeKey(now))).length > 0) return
      await commit(activate(now, step.kid, view.now(), policy.accessTokenLifeSeconds), { actor })
    }
  }

  return {
    open: () => inTurn(found),
    rotate: (requested) => inTurn(() => rotateNow(requested)),
    activate: (kid, requested) => inTurn(() => activateNow(kid, requested)),
    revoke: (kid, requested) => inTurn(() => revokeNow(kid, requested)),
    rewrap: (requested) => inTurn(() => rewrapNow(requested)),
    noteLife: () => inTurn(noteLifeNow),
    take: (step) => inTurn(() => takeNow(step)),
    settleSigner: () => inTurn(() => custody.retain(view.snapshot.document)),
    confirm: () => inTurn(gate.confirm),
    missing: gate.missing,
    settled: async () => {
      await tail
    },
  }
}
