import type { Fleet } from './fleet.ts'
import type { StepResult } from './walk.ts'

/** One line a step, as it happens: what was done, what came back, milliseconds. */
export function stepLine(result: StepResult): string {
  return `${result.ok ? '  ok  ' : ' FAIL '} ${result.name.padEnd(34)} ${result.detail}  (${result.ms.toFixed(0)} ms)`
}

/** The table at the end. */
export function summary(fleet: Fleet, results: readonly StepResult[]): string {
  const failed = results.filter((result) => !result.ok)
  const totalMs = results.reduce((sum, result) => sum + result.ms, 0)
  return [
    '',
    `  ${results.length - failed.length} of ${results.length} steps did what they should, in ${(totalMs / 1000).toFixed(1)} s`,
    ...failed.map((result) => `  surprised: ${result.name}: ${result.detail}`),
    '',
    ...Object.entries(fleet.addresses).map(([name, url]) => `  ${name.padEnd(18)} ${url}`),
    `  ${'configuration'.padEnd(18)} ${fleet.configFile}`,
    '',
    `  user    ${fleet.accounts.user.identifier}   password ${fleet.accounts.user.secret}`,
    `  support ${fleet.accounts.operator.identifier}   password ${fleet.accounts.operator.secret}`,
    `  client  ${fleet.accounts.service.identifier}   secret ${fleet.accounts.service.secret}`,
    `  cmux    password ${fleet.accounts.cmux.secret}`,
    '',
  ].join('\n')
}

/** `1 row`, `2 rows`. */
export function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? '' : 's'}`
}

/** For machines: everything that the table says. */
export function json(fleet: Fleet, results: readonly StepResult[]): string {
  return JSON.stringify({
    ok: results.every((result) => result.ok),
    steps: results.map((result) => ({ ...result, ms: Math.round(result.ms * 10) / 10 })),
    addresses: fleet.addresses,
    configFile: fleet.configFile,
    accounts: fleet.accounts,
  })
}
