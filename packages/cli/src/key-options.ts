import type { KeyRing } from '@countersign/keys'
import type { TokenServiceParts } from '@countersign/server'
import { InvalidArgumentError } from 'commander'
import { CliError } from './failure.ts'

export const ringOption = ['--ring <name>', 'only this key ring'] as const
export const reasonOption = ['--reason <text>', 'why; goes into the audit log'] as const

/** The rings of tokens, or the named one, which may be the feed's too. */
export function ringsOf(service: TokenServiceParts, name: string | undefined): readonly KeyRing[] {
  return name === undefined ? service.rings : everyRingOf(service, name)
}

/** Every ring, or the named one. */
export function everyRingOf(service: TokenServiceParts, name: string | undefined): readonly KeyRing[] {
  const all = [...service.rings, service.feedRing]
  if (name === undefined) return all
  const found = all.filter((ring) => ring.name === name)
  if (found.length > 0) return found
  const names = all.map((ring) => ring.name).join(', ')
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

/** RFC 7638 thumbprints: 43 base64url characters. */
export function kidArgument(value: string): string {
  if (!/^[\w-]{43}$/u.test(value)) throw new InvalidArgumentError('A kid has 43 base64url characters.')
  return value
}
