import { isRejection, type Principal } from '@countersign/tokens'
import { checkDpopProof, isProofRejection, type ProofRejectionCode } from '@countersign/tokens/dpop'
import { longestLifeSeconds, type Setting } from './options.ts'
import { isRunnerRefusal, type RunnerRefusalCode, refuse } from './runner-refused.ts'
import type { Runner } from './runner-store.ts'

/** Why a request is turned away, its proof included. */
export type RefusalCode = RunnerRefusalCode | ProofRejectionCode

/** What a route asks for. */
export interface RunnerNeed {
  /** All of them. */
  readonly scopes: readonly string[]
  /** That of the thing which is asked for, where it is known. */
  readonly organization?: string
  readonly workspace?: string
}

export interface RunnerPrincipal {
  /** Whom the runner works for. */
  readonly subject: string
  readonly runner: Runner
  readonly organization: string
  readonly workspace: string
  readonly scopes: ReadonlySet<string>
  readonly tokenId: string
  /** Unix seconds. */
  readonly expiresAt: number
}

export type RunnerDecision =
  | { readonly admitted: true; readonly principal: RunnerPrincipal }
  | { readonly admitted: false; readonly code: RefusalCode; readonly response: Response }

function readToken(header: string | null): string {
  if (header === null) return refuse('no_token')
  const [scheme = '', token = '', ...more] = header.split(' ')
  if (scheme.toLowerCase() === 'bearer') return refuse('bearer_downgrade')
  if (scheme.toLowerCase() !== 'dpop' || token === '' || more.length > 0) return refuse('no_token')
  return token
}

async function verify(setting: Setting, token: string): Promise<Principal> {
  try {
    return await setting.tokens.verify(token)
  } catch (cause) {
    if (!isRejection(cause)) throw cause
    if (cause.code === 'keys_unavailable') return refuse('unavailable', undefined, { cause })
    return refuse(cause.code === 'expired' ? 'token_expired' : 'token_invalid', undefined, { cause })
  }
}

async function decide(setting: Setting, request: Request, need: RunnerNeed): Promise<RunnerPrincipal> {
  const token = readToken(request.headers.get('authorization'))
  const principal = await verify(setting, token)
  const { confirmationKey, issuedAt, expiresAt, claims, clientId = '', scopes, subject, tokenId = '' } = principal
  if (confirmationKey === undefined) return refuse('token_unbound')
  if (issuedAt === undefined || expiresAt - issuedAt > longestLifeSeconds) return refuse('life_too_long')
  const proof = request.headers.get('dpop') ?? refuse('proof_required')
  const { pathname } = new URL(request.url)
  await checkDpopProof({
    proof,
    method: request.method,
    url: `${setting.apiOrigin}${pathname}`,
    accessToken: token,
    expectedThumbprint: confirmationKey,
    usedProofs: setting.usedProofs,
    clock: setting.clock,
  })
  const runner = await setting.store.runnerById(clientId)
  if (runner === undefined || runner.thumbprint !== confirmationKey) return refuse('unpaired_runner')
  if (runner.revoked) return refuse('runner_revoked')
  if (claims.ep !== runner.epoch) return refuse('epoch_revoked')
  const { organization, workspace } = runner
  if (claims.org !== organization || (need.organization ?? organization) !== organization) {
    return refuse('foreign_organization')
  }
  if (claims.ws !== workspace || (need.workspace ?? workspace) !== workspace) return refuse('foreign_workspace')
  const granted = await setting.grants(subject, organization)
  if (granted === undefined) return refuse('not_a_member')
  if (granted.workspaces !== 'all' && !granted.workspaces.includes(workspace)) return refuse('foreign_workspace')
  // What a role has lost since the token was signed is gone at once.
  const has = (scope: string): boolean =>
    scopes.has(scope) && runner.scopes.includes(scope) && granted.scopes.includes(scope)
  if (!need.scopes.every(has)) return refuse('insufficient_scope')
  return { subject, runner, organization, workspace, scopes, tokenId, expiresAt }
}

const forbidden: ReadonlySet<string> = new Set([
  'insufficient_scope',
  'not_a_member',
  'foreign_organization',
  'foreign_workspace',
])

/** The answer in the words of RFC 6750 section 3.1 and RFC 9449 section 7.1; the precise code goes to the audit alone. */
export function denial(code: RefusalCode): Response {
  const headers = { 'cache-control': 'no-store' }
  if (code === 'unavailable') return new Response(null, { status: 503, headers: { ...headers, 'retry-after': '5' } })
  const isForbidden = forbidden.has(code)
  const error = isForbidden ? 'insufficient_scope' : code.startsWith('proof_') ? 'invalid_dpop_proof' : 'invalid_token'
  const challenge = `DPoP ${code === 'no_token' ? '' : `error="${error}", `}algs="EdDSA ES256"`
  return new Response(null, { status: isForbidden ? 403 : 401, headers: { ...headers, 'www-authenticate': challenge } })
}

export async function admit(setting: Setting, request: Request, need: RunnerNeed): Promise<RunnerDecision> {
  try {
    return { admitted: true, principal: await decide(setting, request, need) }
  } catch (error) {
    if (!isRunnerRefusal(error) && !isProofRejection(error)) throw error
    await setting.audit({ type: 'refused', at: 'resource', code: error.code })
    return { admitted: false, code: error.code, response: denial(error.code) }
  }
}
