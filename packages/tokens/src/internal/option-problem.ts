import type { z } from 'zod'
import type { Clock } from '../clock.ts'

function isMisspelt(issue: z.core.$ZodIssue): issue is z.core.$ZodIssueUnrecognizedKeys {
  return issue.code === 'unrecognized_keys'
}

/**
 * The first thing wrong with options, for the message of an error: which option, and why. A misspelt name goes first:
 * it is why another one seems to be missing. Holds names of options, never a value.
 */
export function optionProblem({ issues }: z.ZodError): string {
  const misspelt = issues.find(isMisspelt)
  if (misspelt !== undefined) return `"${[...misspelt.path, misspelt.keys[0]].join('.')}" is not the name of an option`
  const [issue] = issues
  const path = issue?.path.join('.') ?? ''
  return path === '' ? `the options: ${issue?.message}` : `"${path}" ${issue?.message}`
}

/** True for what can be asked as a {@link Clock}. */
export function isClock(value: unknown): value is Clock {
  if (typeof value !== 'object' || value === null) return false
  return ['now', 'monotonicMs', 'after'].every((name) => typeof Reflect.get(value, name) === 'function')
}

export const clockProblem = 'must be a clock: an object with now(), monotonicMs() and after()'
