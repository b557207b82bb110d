import type { Principal } from '@countersign/tokens'
import type { CoderScope } from '../scopes.ts'
import type { Operation } from '../tasks/steps.ts'

/** In whose name the coder is asked, and until when. */
export interface CoderCall {
  readonly principal: Principal
  readonly signal: AbortSignal
  /** A token for the coder, with this scope, in the caller's name. */
  tokenFor(
    scope: CoderScope,
    options?: { readonly reason?: string; readonly token?: string; readonly signal?: AbortSignal },
  ): Promise<string>
  readonly onProgress: (message: string) => void
}

/** What came of one step. */
export type Outcome =
  | { readonly ok: true; readonly answer: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: string }

/** The coder for the time of one task. */
export interface CoderSession {
  /** @param held a scope that the caller has, and that is enough. Rejects when `signal` says so, and for faults. */
  run(operation: Operation, held: CoderScope): Promise<Outcome>
  close(): Promise<void>
}

/** The coder, elsewhere or in this process. */
export interface Coder {
  begin(call: CoderCall): CoderSession
  close(): Promise<void>
}

/** A command that did not succeed is a step that failed. */
export function outcomeOf(tool: string, answer: Readonly<Record<string, unknown>>): Outcome {
  if (tool !== 'run_command' || answer.exit_code === 0) return { ok: true, answer }
  const { reason, exit_code: exitCode, stderr } = answer
  const why = reason === 'exited' ? `exit code ${exitCode}` : String(reason)
  return { ok: false, error: `command: ${why}${typeof stderr === 'string' ? ` ${stderr.slice(0, 2_000)}` : ''}` }
}
