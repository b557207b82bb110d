/** What a step says of itself when it did what it should. */
export interface StepResult {
  readonly name: string
  readonly ok: boolean
  /** What came back, or what surprised. */
  readonly detail: string
  readonly ms: number
}

/** One thing that the tour does, with a real request; throws {@link Surprise} when the answer is not the one due. */
export interface Step<Fleet> {
  readonly name: string
  run(fleet: Fleet): Promise<string>
}

/** An answer that should not have come. */
export class Surprise extends Error {
  override readonly name = 'Surprise'
}

/** States what must hold in a step. */
export function expectThat(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Surprise(otherwise)
}

/**
 * Walks the steps in order; a surprise is noted and the walk goes on, since a later step may tell more.
 * Once `stopped`, no further step begins, and the one under way is not told of: what it met is the end of the fleet.
 */
export async function walk<Fleet>(
  fleet: Fleet,
  steps: readonly Step<Fleet>[],
  onStep: (result: StepResult) => void,
  stopped?: AbortSignal,
): Promise<readonly StepResult[]> {
  const results: StepResult[] = []
  const hasStopped = (): boolean => stopped?.aborted === true
  for (const step of steps) {
    if (hasStopped()) break
    const startedAt = performance.now()
    let result: StepResult
    try {
      const detail = await step.run(fleet)
      result = { name: step.name, ok: true, detail, ms: performance.now() - startedAt }
    } catch (error) {
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      result = { name: step.name, ok: false, detail, ms: performance.now() - startedAt }
    }
    if (hasStopped()) break
    results.push(result)
    onStep(result)
  }
  return results
}
