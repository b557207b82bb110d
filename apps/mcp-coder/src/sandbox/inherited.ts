import { readdirSync, readFileSync } from 'node:fs'

const closeOnExec = 0o2_000_000

/**
 * The descriptors that every program which we start would get: not Node's own, which are closed then, but what whoever
 * started us left open.
 */
export function inheritedDescriptors(): readonly number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd))
}

function isClosedOnExec(fd: number): boolean {
  try {
    const [, flags = ''] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
    return (Number.parseInt(flags, 8) & closeOnExec) !== 0
  } catch {
    // It was the one that listed them.
    return true
  }
}
