import type { Actor, Principal } from '@countersign/tokens'

/** Whether a later token speaks for the same one: issuer, subject, organisation, audience, bound key, and who acts. */
export function isSameIdentity(before: Principal, after: Principal): boolean {
  return (
    before.issuer === after.issuer &&
    before.subject === after.subject &&
    before.organization === after.organization &&
    before.audience === after.audience &&
    before.confirmationKey === after.confirmationKey &&
    isSameActor(before.actor, after.actor)
  )
}

function isSameActor(before: Actor | undefined, after: Actor | undefined): boolean {
  if (before === undefined || after === undefined) return before === after
  return (
    before.subject === after.subject && before.clientId === after.clientId && isSameActor(before.actor, after.actor)
  )
}
