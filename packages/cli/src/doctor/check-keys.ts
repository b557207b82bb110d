import type { KeyRingStatus } from '@countersign/keys'
import { age, wait } from '../times.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** Does each ring have a key that signs, and is it young enough? */
export function checkKeys(rings: readonly KeyRingStatus[], now: number): Finding[] {
  return rings.map((ring) => {
    const where = `key ring ${ring.name}`
    const active = ring.keys.find((key) => key.kid === ring.activeKid)
    if (active === undefined) {
      return error('keys', 'No key is active: nothing can be signed.', where, 'Run `countersign keys rotate`.')
    }
    const seconds = now - (active.activatedAt ?? active.createdAt)
    if (seconds < -60) {
      const what = `The active key began to sign ${wait(-seconds)} in the future.`
      return error('keys', what, where, 'Set the clock of this machine right.')
    }
    const what = `The active key has signed for ${age(seconds)}.`
    const remedy = 'Run `countersign keys rotate`, and again when the new key may be activated.'
    if (ring.age === 'over') return error('keys', what, where, remedy)
    if (ring.age !== 'ok') return warning('keys', what, where, remedy)
    return ok('keys', what, where)
  })
}
