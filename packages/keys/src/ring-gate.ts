import type { Calendars } from './blackouts/feasibility.ts'
import type { KeyRecord } from './document.ts'
import type { KeyRingEvent } from './events.ts'
import { KeysError } from './keys-error.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import type { AuditActor, KeyConfirmations } from './ports.ts'
import type { RingRecord } from './ring-record.ts'
import type { RingIdentity, RingView } from './ring-view.ts'
import { isLastDay, propagationLeft } from './schedule.ts'
import { type Change, standbyKey } from './transitions.ts'

export interface RingGateOptions {
  readonly identity: RingIdentity
  readonly view: RingView
  readonly policy: ResolvedKeyPolicy
  readonly confirmations: readonly KeyConfirmations[]
  readonly emit: (event: KeyRingEvent) => void
  readonly record: RingRecord['record']
}

/** What a planned change waits for: caches, those who must have confirmed the key, blackouts. */
export interface RingGate {
  /** Asks who does not have the standby yet. */
  confirm(): Promise<void>
  /** Who did not have the key when they were last asked for. */
  missing(kid: string): readonly string[]
  /** What the standby's activation waits for, blackouts apart; asks the confirmations. */
  waitsFor(standby: KeyRecord, active: KeyRecord): Promise<readonly string[]>
  /** When the caches know it and, but in an emergency, no blackout holds; whether a blackout is what it waits for last. */
  lawful(standby: KeyRecord, emergency: string | undefined): { readonly at: number; readonly inBlackout: boolean }
  /** The end of the blackout that holds now. */
  closedUntil(step: keyof Calendars): number | undefined
  overridden(emergency: string | undefined, force: string | undefined): string | undefined
  /** @throws KeysError `blackout` */
  refuseBlackout(step: keyof Calendars, key: KeyRecord, actor: AuditActor | undefined): Promise<void>
}

/** @throws KeysError `reason_missing` */
export function refuseBlank(reason: string | undefined): void {
  if (reason?.trim() === '') throw new KeysError('reason_missing', 'what overrides a rule needs a reason')
}

export function createRingGate(options: RingGateOptions): RingGate {
  const { identity, view, policy, confirmations, emit, record } = options
  const lastMissing = new Map<string, readonly string[]>()

  async function ask(kid: string): Promise<{ readonly required: string[]; readonly others: string[] }> {
    const required: string[] = []
    const others: string[] = []
    const answers = confirmations.map(async (source) => {
      for (const name of await source.missing(kid)) (source.required ? required : others).push(name)
    })
    await Promise.all(answers)
    lastMissing.set(kid, [...required, ...others])
    return { required, others }
  }

  async function confirm(): Promise<void> {
    const standby = standbyKey(view.snapshot.document)
    if (standby?.state === 'published') await ask(standby.kid)
  }

  async function waitsFor(standby: KeyRecord, active: KeyRecord): Promise<readonly string[]> {
    const waiting = propagationLeft(standby, policy, view.ages) > 0 ? ['propagation'] : []
    const { required, others } = await ask(standby.kid)
    // On the active key's last day a broken consumer must not block the rotation any more.
    if (others.length > 0 && waiting.length === 0 && isLastDay(active, policy, view.ages)) {
      // What is required blocks it all the same: nobody goes ahead then.
      if (required.length === 0)
        emit({ type: 'key.unconfirmed', ring: identity.name, kid: standby.kid, missing: others })
      return required
    }
    return [...waiting, ...required, ...others]
  }

  function lawful(standby: KeyRecord, emergency: string | undefined): ReturnType<RingGate['lawful']> {
    // Once: a second that ends between two readings would look like a blackout of one second.
    const known = view.now() + Math.max(0, propagationLeft(standby, policy, view.ages))
    const at = emergency === undefined ? view.ages.calendars.activation.nextOpen(known) : known
    return { at, inBlackout: at > known }
  }

  const closedUntil = (step: keyof Calendars): number | undefined => {
    const now = view.now()
    const open = view.ages.calendars[step].nextOpen(now)
    return open > now ? open : undefined
  }

  /** What a command goes past, for the audit log: only what would have stopped it. */
  function overridden(emergency: string | undefined, force: string | undefined): string | undefined {
    const rules = [
      ...(emergency !== undefined && closedUntil('publication') !== undefined ? ['blackout'] : []),
      ...(force === undefined ? [] : ['propagation']),
    ]
    return rules.length === 0 ? undefined : rules.join()
  }

  async function refuseBlackout(step: keyof Calendars, key: KeyRecord, actor: AuditActor | undefined): Promise<void> {
    const at = closedUntil(step)
    if (at === undefined) return
    const to = step === 'activation' ? 'active' : 'published'
    const refused: Change = { document: view.snapshot.document, transitions: [{ kid: key.kid, from: key.state, to }] }
    await record(refused, 'denied', { ...(actor === undefined ? {} : { actor }), reason: 'blackout' })
    const when = new Date(at * 1000).toISOString()
    throw new KeysError('blackout', `the keys of the ring ${identity.name} are not changed by plan until ${when}`, {
      lawfulAt: at,
    })
  }

  return {
    confirm,
    missing: (kid) => lastMissing.get(kid) ?? [],
    waitsFor,
    lawful,
    closedUntil,
    overridden,
    refuseBlackout,
  }
}
