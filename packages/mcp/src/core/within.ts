import { McpGuardError } from '../errors.ts'

/** @throws McpGuardError `bad_option` for anything but a whole number in the range */
export function within(
  name: string,
  value: number | undefined,
  fallback: number,
  [least, most]: readonly [number, number],
): number {
  const chosen = value ?? fallback
  if (Number.isSafeInteger(chosen) && chosen >= least && chosen <= most) return chosen
  throw new McpGuardError('bad_option', `${name}: expected a whole number from ${least} to ${most}.`)
}
