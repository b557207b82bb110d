import { isRejection, type Principal, staticKeys } from '@countersign/tokens'
import type { CheckedProof } from '@countersign/tokens/dpop'
import { verifyJws } from '@countersign/tokens/jws'
import * as z from 'zod'
import { assertionType } from './assertion-type.ts'
import { longestLifeSeconds, type Setting } from './options.ts'
import { redeem } from './pairing.ts'
import { randomSecret, sha256 } from './random.ts'
import { readScope } from './read-scope.ts'
import { refuse } from './runner-refused.ts'
import type { Runner } from './runner-store.ts'

/** Longest life of an assertion, in seconds. */
const longestAssertionSeconds = 300

const grantTypes = {
  'urn:ietf:params:oauth:grant-type:device_code': 'device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange': 'session',
  'urn:ietf:params:oauth:grant-type:jwt-bearer': 'assertion',
} as const
type Grant = (typeof grantTypes)[keyof typeof grantTypes]

const sessionTypes: readonly (string | undefined)[] = [
  'urn:ietf:params:oauth:token-type:jwt',
  'urn:ietf:params:oauth:token-type:access_token',
]

/** RFC 6749 section 5.1, RFC 9449 section 5. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'DPoP'
  readonly expires_in: number
  readonly scope: string
  readonly issued_token_type?: 'urn:ietf:params:oauth:token-type:access_token'
  readonly runner_id: string
  readonly organization: string
  readonly workspace: string
}

type Form = ReadonlyMap<string, string>

function need(form: Form, name: string): string {
  return form.get(name) || refuse('invalid_request', `The parameter "${name}" is missing.`)
}

const assertionSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  iat: z.number().int(),
  exp: z.number().int(),
  jti: z.string().min(1).max(256),
})

/** RFC 7523 section 3, under the key that made the proof: two keys in one request are one too many. */
async function checkAssertion(setting: Setting, assertion: string, proof: CheckedProof): Promise<void> {
  const { thumbprint, publicJwk } = proof
  const alg = publicJwk.kty === 'EC' ? 'ES256' : 'EdDSA'
  const keys = staticKeys({ keys: [{ ...publicJwk, alg, kid: thumbprint }] })
  const { claims } = await verifyJws(assertion, { type: assertionType, keys, maxLength: 4_096 }).catch((cause) => {
    if (isRejection(cause)) return refuse('assertion_invalid', `The assertion was refused: ${cause.code}.`, { cause })
    throw cause
  })
  const { data } = assertionSchema.safeParse(claims)
  const now = setting.clock.now()
  const holds =
    data !== undefined &&
    data.iss === thumbprint &&
    data.sub === thumbprint &&
    data.aud === setting.tokenUrl &&
    data.iat <= now + 5 &&
    data.exp > now - 5 &&
    data.exp > data.iat &&
    data.exp - data.iat <= longestAssertionSeconds
  if (data === undefined || !holds) return refuse('assertion_invalid')
  const seen = await setting.usedProofs.seen(await sha256(`assertion.${thumbprint}.${data.jti}`), data.exp + 5)
  if (seen) refuse('assertion_used')
}

async function readSession(setting: Setting, form: Form): Promise<Principal> {
  if (!sessionTypes.includes(form.get('subject_token_type'))) {
    refuse('invalid_request', 'The "subject_token_type" is not that of a session.')
  }
  if (form.has('actor_token')) refuse('invalid_request', 'There is no "actor_token" here.')
  try {
    return await setting.sessions.verify(need(form, 'subject_token'))
  } catch (cause) {
    if (!isRejection(cause)) throw cause
    return refuse(cause.code === 'keys_unavailable' ? 'unavailable' : 'session_invalid', undefined, { cause })
  }
}

/** Who asks: the runner of the proof's key, and the person it will work for. */
async function identify(setting: Setting, grant: Grant, form: Form, proof: CheckedProof) {
  const { store } = setting
  if (grant === 'device_code') {
    const runner = await redeem(setting, need(form, 'device_code'), proof.thumbprint)
    return { runner, person: runner.owner }
  }
  const runner = (await store.runnerByKey(proof.thumbprint)) ?? refuse('unpaired_runner')
  if (grant === 'assertion') {
    await checkAssertion(setting, need(form, 'assertion'), proof)
    return { runner, person: runner.owner }
  }
  const session = await readSession(setting, form)
  if (session.organization !== runner.organization) return refuse('foreign_organization')
  return { runner, person: session.subject }
}

/** What is asked for, if it is within what the runner was approved for and what the person's role has. */
function narrow(form: Form, runner: Runner, granted: readonly string[]): readonly string[] {
  const most = runner.scopes.filter((scope) => granted.includes(scope))
  const asked = form.has('scope') ? readScope(form.get('scope') ?? '') : most
  if (asked.length === 0 || !asked.every((scope) => most.includes(scope))) return refuse('scope_too_wide')
  return asked
}

function readLife(setting: Setting, form: Form): number {
  const asked = form.get('expires_in')
  if (asked === undefined) return setting.lifeSeconds
  if (!/^[1-9]\d{0,8}$/.test(asked)) return refuse('invalid_request', 'The "expires_in" is not a number of seconds.')
  return Number(asked) > longestLifeSeconds ? refuse('life_too_long') : Math.max(60, Number(asked))
}

export async function issueToken(setting: Setting, form: Form, proof: CheckedProof): Promise<TokenAnswer> {
  const asked = need(form, 'grant_type')
  const grant = Object.hasOwn(grantTypes, asked) ? grantTypes[asked as keyof typeof grantTypes] : undefined
  if (grant === undefined) return refuse('unsupported_grant')
  const life = readLife(setting, form)
  const { runner, person } = await identify(setting, grant, form, proof)
  const { organization, workspace, thumbprint, epoch } = runner
  if (runner.revoked) return refuse('runner_revoked')
  if ((form.get('audience') ?? setting.audience) !== setting.audience)
    refuse('invalid_request', 'The "audience" is another.')
  if ((form.get('organization') ?? organization) !== organization) refuse('foreign_organization')
  if ((form.get('workspace') ?? workspace) !== workspace) refuse('foreign_workspace')
  const granted = await setting.grants(person, organization)
  if (granted === undefined) return refuse('not_a_member')
  if (granted.workspaces !== 'all' && !granted.workspaces.includes(workspace)) return refuse('foreign_workspace')
  const scope = narrow(form, runner, granted.scopes).join(' ')
  const jti = randomSecret(16)
  await setting.audit({ type: 'token_issued', runner: runner.id, subject: person, organization, tokenId: jti, grant })
  const token = await setting.sign(
    {
      sub: person,
      aud: setting.audience,
      client_id: runner.id,
      org: organization,
      ws: workspace,
      scope,
      cnf: { jkt: thumbprint },
      ep: epoch,
      jti,
    },
    life,
  )
  return {
    access_token: token,
    token_type: 'DPoP',
    expires_in: life,
    scope,
    ...(grant === 'session' ? { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' } : {}),
    runner_id: runner.id,
    organization,
    workspace,
  }
}
