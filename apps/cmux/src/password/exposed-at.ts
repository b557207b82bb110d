import { readdirSync, readFileSync } from 'node:fs'
import { passwordVariable } from './leave-environment.ts'

export interface Exposure {
  readonly pid: number
  /** Its program, as the system calls it. */
  readonly name: string
}

/**
 * The processes that have the password in their environment where this one may read it, and so may every command that
 * it runs: a parent such as npm, or a shell that it was given to. On Linux; elsewhere nobody is found.
 */
export function exposedAt(password: string, proc = '/proc'): readonly Exposure[] {
  const entry = Buffer.from(`\0${passwordVariable}=${password}\0`)
  const found: Exposure[] = []
  for (const pid of list(proc)) {
    const environment = read(`${proc}/${pid}/environ`)
    if (environment === undefined || !Buffer.concat([Buffer.of(0), environment]).includes(entry)) continue
    found.push({ pid: Number(pid), name: read(`${proc}/${pid}/comm`)?.toString('utf8').trim() ?? '?' })
  }
  return found
}

function list(proc: string): readonly string[] {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/** Gone meanwhile, or somebody else's: then commands cannot read it either. */
function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
