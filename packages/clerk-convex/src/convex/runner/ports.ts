import { type Clock, createVerifier, systemClock, TokenRejected, type Verifier } from '@countersign/tokens'
import { ProofRejected, type UsedProofs } from '@countersign/tokens/dpop'
import { type GenericActionCtx, type GenericDataModel, makeFunctionReference } from 'convex/server'
import { createRunnerTokens, type RunnerTokens } from '../../runner/create-runner-tokens.ts'
import type { RunnerAuditEntry, RunnerTokensOptions } from '../../runner/options.ts'
import { refuse as refuseRunner } from '../../runner/runner-refused.ts'
import { runnerProfile } from '../../runner/runner-signer.ts'
import type { Runner, RunnerStore } from '../../runner/runner-store.ts'
import type { Setting } from '../options.ts'
import { deploymentKeys, pinnedKeys } from './deployment-keys.ts'
import { type ReadOptions, refuse } from './read-options.ts'
import type { Admitted, RunnerStep, ShownProof, StepAnswers, StoreCall } from './step.ts'

export const runnerAudience = 'runner-api'

type HttpContext = Pick<GenericActionCtx<GenericDataModel>, 'runMutation'>
type Step = <Type extends RunnerStep['type']>(
  call: Extract<RunnerStep, { readonly type: Type }>,
) => Promise<StepAnswers[Type]>
type Ports = Pick<RunnerTokensOptions, 'tokens' | 'sign' | 'grants' | 'store' | 'usedProofs' | 'audit'>

/** Our own clock reads the time as `defineAuth` was told to. */
export function clockOf(setting: Setting): Clock {
  return { ...systemClock, now: setting.now }
}

function stepper(ctx: HttpContext, { module }: ReadOptions): Step {
  const step = makeFunctionReference<'mutation', { call: RunnerStep }, never>(`${module}:step`)
  return (call) => ctx.runMutation(step, { call })
}

/** {@link RunnerStore} over the internal mutation: each call is a transaction. */
export function remoteRunnerStore(step: Step): RunnerStore {
  const call = async (store: StoreCall): Promise<never> => {
    const answer = await step({ type: 'store', call: store })
    // What the method of that name answers; Convex has null where we have nothing.
    return (answer ?? undefined) as never
  }
  return {
    addPairing: async (pairing) => wasAdded(await step({ type: 'pair', pairing })),
    pairingByDeviceCode: (...args) => call({ method: 'pairingByDeviceCode', args }),
    pairingByUserCode: (...args) => call({ method: 'pairingByUserCode', args }),
    notePoll: (...args) => call({ method: 'notePoll', args }),
    approve: (...args) => call({ method: 'approve', args }),
    movePairing: (...args) => call({ method: 'movePairing', args }),
    runnerByKey: (...args) => call({ method: 'runnerByKey', args }),
    runnerById: (...args) => call({ method: 'runnerById', args }),
    endTokens: (...args) => call({ method: 'endTokens', args }),
    countWrongCode: (...args) => call({ method: 'countWrongCode', args }),
    wrongCodes: (...args) => call({ method: 'wrongCodes', args }),
  }
}

function wasAdded(answer: StepAnswers['pair']): boolean {
  if (answer === 'too_many') return refuseRunner('too_many_pairings')
  return answer === 'replayed' ? refuseReplay() : answer === 'added'
}

function refuseReplay(): never {
  throw new ProofRejected('proof_replayed', 'claims.jti', 'The proof was used before.')
}

export function remoteUsedProofs(step: Step): UsedProofs {
  return { seen: (proof, until) => step({ type: 'use', proof, until }) }
}

/** What differs between a request to the endpoints and one to a route. */
function tokensOf(setting: Setting, options: ReadOptions, ports: Ports): RunnerTokens {
  const { siteUrl, verificationUrl } = options.deployment()
  return createRunnerTokens({
    ...ports,
    url: `${site(siteUrl)}${options.path}`,
    verificationUrl,
    audience: runnerAudience,
    sessions: sessionsOf(options),
    lifeSeconds: options.limits.lifeSeconds,
    deviceCodeLifeSeconds: options.limits.deviceCodeLifeSeconds,
    intervalSeconds: options.limits.intervalSeconds,
    clock: clockOf(setting),
  })
}

/** For the two endpoints. */
export function endpointTokens(ctx: HttpContext, setting: Setting, options: ReadOptions): RunnerTokens {
  const step = stepper(ctx, options)
  const store = remoteRunnerStore(step)
  let shown: ShownProof | undefined
  let asking: Runner | undefined
  let issuing: Extract<RunnerAuditEntry, { type: 'token_issued' }> | undefined
  return tokensOf(setting, options, {
    tokens: nothingRead,
    usedProofs: {
      seen: async (proof, until) => {
        // Of the assertion, whose sender is known by then.
        if (shown !== undefined) return step({ type: 'use', proof, until })
        // Of the request: noted together with what is asked for first, if its sender is somebody.
        shown = { proof, until }
        return false
      },
    },
    store: {
      ...store,
      addPairing: async (pairing) => wasAdded(await step({ type: 'pair', pairing, ...(shown && { shown }) })),
      runnerByKey: async (thumbprint) => {
        const { runner, replayed } = await step({ type: 'sender', thumbprint, ...(shown && { shown }) })
        asking = runner ?? undefined
        return replayed ? refuseReplay() : asking
      },
    },
    grants: async (person, organization) => {
      if (asking === undefined) return undefined
      const claimant = { person, organization, workspace: asking.workspace }
      return (await step({ type: 'grants', claimant })) ?? undefined
    },
    audit: async (entry) => {
      // A pairing is written down with its row, and a token in the transaction that signs it.
      if (entry.type === 'token_issued') issuing = entry
      if (entry.type !== 'refused') return
      const { at, code } = entry
      await step({ type: 'refused', at, code, ...(asking === undefined ? {} : { runner: asking.id }) })
    },
    sign: async (claims, lifeSeconds) => {
      const answer = await step({ type: 'issue', claims, lifeSeconds, grant: issuing?.grant ?? 'assertion' })
      return 'token' in answer ? answer.token : refuseRunner(answer.refused)
    },
  })
}

/** For a route: one transaction notes the proof and reads all that is asked about its sender. */
export function admissionTokens(ctx: HttpContext, setting: Setting, options: ReadOptions): RunnerTokens {
  const step = stepper(ctx, options)
  const verifier = tokenVerifier(step, setting, options)
  let shown: { readonly runner: string; readonly person: string } | undefined
  let admitted: Admitted | undefined
  return tokensOf(setting, options, {
    tokens: {
      verify: async (token) => {
        const principal = await verifier.verify(token)
        shown = { runner: principal.clientId ?? '', person: principal.subject }
        return principal
      },
    },
    usedProofs: {
      seen: async (proof, until) => {
        if (shown === undefined) return true
        admitted = await step({ type: 'admit', proof, until, ...shown })
        return admitted.seen
      },
    },
    store: { ...remoteRunnerStore(step), runnerById: async () => admitted?.runner ?? undefined },
    grants: async () => admitted?.granted ?? undefined,
    audit: async (entry) => {
      if (entry.type !== 'refused') return
      const { at, code } = entry
      await step({ type: 'refused', at, code, ...(shown === undefined ? {} : { runner: shown.runner }) })
    },
    sign: () => refuseRunner('unsupported_grant'),
  })
}

function tokenVerifier(step: Step, setting: Setting, options: ReadOptions): Verifier {
  const { cloudUrl, keys } = options.deployment()
  const issuer = site(cloudUrl)
  const source =
    keys === undefined
      ? deploymentKeys(issuer, {
          ask: (kid) => step({ type: 'keys', kid }),
          keep: async (jwks) => void (await step({ type: 'keep_keys', jwks })),
        })
      : pinnedKeys(keys)
  const clock = clockOf(setting)
  return createVerifier({ issuer, audience: runnerAudience, keys: source, profile: runnerProfile, cache: false, clock })
}

const nothingRead: Verifier = {
  verify: async () => {
    throw new TokenRejected('wrong_issuer', 'No such tokens are read here.', { where: 'token' })
  },
}

/** One for each exchange: a verifier that reads keys would go on reading after the request. */
function sessionsOf({ sessions }: ReadOptions): Verifier {
  if (sessions === undefined) return nothingRead
  return {
    verify: async (token) => {
      const verifier = sessions()
      try {
        return await verifier.verify(token)
      } finally {
        verifier.close?.()
      }
    },
  }
}

function site(url: string | undefined): string {
  return url ?? refuse('deployment: CONVEX_CLOUD_URL and CONVEX_SITE_URL are those of the deployment; one is missing.')
}
