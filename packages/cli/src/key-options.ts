import type { KeyRing } from '@countersign/keys'
import type { TokenServiceParts } from '@countersign/server'
import { CliError } from './failure.ts'

export const ringOption = ['--ring <name>', 'only this key ring'] as const
export const reasonOption = ['--reason <text>', 'why; goes into the audit log'] as const

export function ringsOf(service: TokenServiceParts, name: string | undefined): readonly KeyRing[] {
  if (name === undefined) return service.rings
  const found = service.rings.filter((ring) => ring.name === name)
  if (found.length > 0) return found
  const names = service.rings.map((ring) => ring.name).join(', ')
  throw new CliError('not_found', `There is no key ring "${name}".`, { remedy: `The rings are: ${names}.` })
}

export interface OverrideOptions {
  readonly emergency?: boolean
  readonly force?: boolean
  readonly reason?: string
}

/** Whatever overrides a rule says why, and a reason without such an option was meant otherwise. */
export function overrides({ emergency, force, reason }: OverrideOptions): { emergency?: string; force?: string } {
  const wanted = emergency === true || force === true
  if (wanted && (reason ?? '').trim() === '') {
    throw new CliError('wrong_usage', 'What overrides a rule needs a --reason: it is recorded.')
  }
  if (reason === undefined) return {}
  if (!wanted) throw new CliError('wrong_usage', '--reason says why a rule is overridden, and none is.')
  return { ...(emergency === true ? { emergency: reason } : {}), ...(force === true ? { force: reason } : {}) }
}
