import { admit, type RunnerDecision, type RunnerNeed } from './admit.ts'
import { handle } from './handle.ts'
import { type RunnerTokensOptions, readOptions } from './options.ts'
import { type Approver, approve, deny, lookUp, type PairingRequest } from './pairing.ts'
import { isRunnerRefusal, refuse } from './runner-refused.ts'
import type { Runner } from './runner-store.ts'

export interface RunnerTokens {
  /** Answers `POST {url}/device_authorization` and `POST {url}/token`; 404 for all else. */
  handle(request: Request): Promise<Response>
  /** Checks token, proof, runner, epoch, role and scopes of a request; `response` of a refusal is ready to be sent. */
  admit(request: Request, need: RunnerNeed): Promise<RunnerDecision>
  /** What a person who typed the code in has to see before answering. @throws RunnerRefused */
  lookUp(by: Approver, userCode: string): Promise<PairingRequest>
  /** Pairs the runner with a workspace of the person's organisation. @throws RunnerRefused */
  approve(by: Approver, userCode: string, workspace: string): Promise<Runner>
  /** @throws RunnerRefused */
  deny(by: Approver, userCode: string): Promise<void>
  /** Ends every token of a runner at once; it may get new ones. @throws RunnerRefused `unpaired_runner` */
  endTokens(by: Approver, runner: string): Promise<void>
  /** Ends every token of a runner, and its key for good. @throws RunnerRefused `unpaired_runner` */
  revoke(by: Approver, runner: string): Promise<void>
}

/**
 * Pairs runners by device code (RFC 8628) and gives them tokens bound to their key (RFC 9449), for a session (RFC 8693) or
 * unattended for an assertion (RFC 7523). It keeps nothing itself: make one for each request where the ports are a
 * request's, as in Convex.
 *
 * Whether a person may answer, or end a runner, is for the caller to ask first; a runner of another organisation is not
 * found.
 *
 * @throws AuthError `bad_option`
 */
export function createRunnerTokens(options: RunnerTokensOptions): RunnerTokens {
  const setting = readOptions(options)

  async function end(by: Approver, id: string, revoked: boolean): Promise<void> {
    const runner = await setting.store.runnerById(id)
    if (runner === undefined || runner.organization !== by.organization) return refuse('unpaired_runner')
    await setting.audit({ type: 'tokens_ended', runner: id, by: by.person, revoked })
    if ((await setting.store.endTokens(id, revoked)) === undefined) refuse('unpaired_runner')
  }

  /** A person's refusals are recorded too; where the caller's transaction fails with them, the record goes with it. */
  async function recorded<Result>(by: Approver, answer: Promise<Result>): Promise<Result> {
    return await answer.catch(async (error: unknown) => {
      if (isRunnerRefusal(error))
        await setting.audit({ type: 'refused', at: 'person', code: error.code, by: by.person })
      throw error
    })
  }

  return {
    handle: (request) => handle(setting, request),
    admit: (request, need) => admit(setting, request, need),
    lookUp: (by, userCode) => recorded(by, lookUp(setting, by, userCode)),
    approve: (by, userCode, workspace) => recorded(by, approve(setting, by, userCode, workspace)),
    deny: (by, userCode) => recorded(by, deny(setting, by, userCode)),
    endTokens: (by, runner) => recorded(by, end(by, runner, false)),
    revoke: (by, runner) => recorded(by, end(by, runner, true)),
  }
}
