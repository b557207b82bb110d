import type { Outcome } from './conformance.ts'

export type Verdict = 'passed' | 'not applicable' | 'failed'

export interface Row {
  /** What judged, and whom: a column of the page. */
  readonly run: string
  readonly scenario: string
  readonly verdict: Verdict
  /** How many checks, or why it cannot be. */
  readonly note: string
  /** What the suite said of it, for who has to look into it. */
  readonly details: readonly string[]
}

/** An excuse that is not needed is as wrong as a scenario that fails: either way the list and the truth differ. */
export function judge(run: string, outcome: Outcome, excuse: string | undefined): Row {
  const { scenario, passed, failed, warnings, details } = outcome
  const isGood = failed === 0 && passed > 0
  if (excuse !== undefined) {
    return isGood
      ? { run, scenario, verdict: 'failed', note: 'passes, though it is listed as not applicable', details }
      : { run, scenario, verdict: 'not applicable', note: excuse, details }
  }
  const warned = warnings === 0 ? '' : `, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
  return {
    ...{ run, scenario, details },
    verdict: isGood ? 'passed' : 'failed',
    note: isGood ? `${passed}${warned}` : `${passed} of ${passed + failed}${warned}`,
  }
}

/** What has an excuse and did not run at all. */
export function unusedExcuses(
  run: string,
  outcomes: readonly Outcome[],
  excuses: Readonly<Record<string, string>>,
): Row[] {
  const ran = new Set(outcomes.map(({ scenario }) => scenario))
  return Object.keys(excuses)
    .filter((scenario) => !ran.has(scenario))
    .map((scenario) => ({
      ...{ run, scenario, verdict: 'failed' as const, details: [] },
      note: 'listed as not applicable, and not in the suite',
    }))
}
