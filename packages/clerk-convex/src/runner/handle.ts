import { type CheckedProof, checkDpopProof, isProofRejection } from '@countersign/tokens/dpop'
import type { RefusalCode } from './admit.ts'
import { readForm } from './form.ts'
import { issueToken } from './issue.ts'
import type { Setting } from './options.ts'
import { startPairing } from './pairing.ts'
import { isRunnerRefusal, refuse } from './runner-refused.ts'

/** RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 9449 section 5; all others are `invalid_grant`. */
const words: Partial<Record<RefusalCode, string>> = {
  invalid_request: 'invalid_request',
  unsupported_grant: 'unsupported_grant_type',
  proof_required: 'invalid_dpop_proof',
  device_code_pending: 'authorization_pending',
  device_code_too_fast: 'slow_down',
  device_code_denied: 'access_denied',
  device_code_expired: 'expired_token',
  scope_too_wide: 'invalid_scope',
  life_too_long: 'invalid_request',
  too_many_pairings: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
}

const statuses: Partial<Record<RefusalCode, number>> = { too_many_pairings: 429, unavailable: 503 }

function answer(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}

function wordOf(code: RefusalCode): string {
  return words[code] ?? (code.startsWith('proof_') ? 'invalid_dpop_proof' : 'invalid_grant')
}

async function proofOf(setting: Setting, request: Request, url: string): Promise<CheckedProof> {
  const proof = request.headers.get('dpop') ?? refuse('proof_required')
  const { usedProofs, clock } = setting
  return await checkDpopProof({ proof, method: 'POST', url, usedProofs, clock })
}

/** Answers the two endpoints of runners; anything else is not found. */
export async function handle(setting: Setting, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const at =
    pathname === new URL(setting.tokenUrl).pathname
      ? 'token'
      : pathname === new URL(setting.deviceUrl).pathname
        ? 'device_authorization'
        : undefined
  if (at === undefined) return answer(404, { error: 'not_found' })
  try {
    const form = await readForm(request)
    const proof = await proofOf(setting, request, at === 'token' ? setting.tokenUrl : setting.deviceUrl)
    if (at === 'token') return answer(200, await issueToken(setting, form, proof))
    return answer(200, await startPairing(setting, form, proof.thumbprint))
  } catch (error) {
    if (!isRunnerRefusal(error) && !isProofRejection(error)) throw error
    const { code } = error
    // Waiting is how a pairing goes.
    if (code !== 'device_code_pending') await setting.audit({ type: 'refused', at, code })
    return answer(statuses[code] ?? 400, { error: wordOf(code), error_description: error.remedy })
  }
}
