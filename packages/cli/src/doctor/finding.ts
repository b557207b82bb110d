export type Level = 'ok' | 'warning' | 'error'

/** One thing that `doctor` looked at. */
export interface Finding {
  readonly check:
    | 'configuration'
    | 'files'
    | 'key-encryption key'
    | 'store'
    | 'keys'
    | 'consumers'
    | 'address'
    | 'clock'
    | 'settings'
    | 'instance'
    | 'auth.config'
  readonly level: Level
  readonly what: string
  /** A file, a setting or an address. */
  readonly where: string
  /** What to do; null when all is well. */
  readonly remedy: string | null
}

export function ok(check: Finding['check'], what: string, where: string): Finding {
  return { check, level: 'ok', what, where, remedy: null }
}

export function warning(check: Finding['check'], what: string, where: string, remedy: string): Finding {
  return { check, level: 'warning', what, where, remedy }
}

export function error(check: Finding['check'], what: string, where: string, remedy: string): Finding {
  return { check, level: 'error', what, where, remedy }
}
