import type { Setting } from './options.ts'
import { randomSecret, randomUserCode, readUserCode, sha256 } from './random.ts'
import { readScope } from './read-scope.ts'
import { refuse } from './runner-refused.ts'
import type { Pairing, Runner } from './runner-store.ts'

/** Wrong user codes that a person may give, in that time. */
const wrongCodes = { most: 5, withinSeconds: 600 } as const

/** What a poll too soon adds (RFC 8628 section 3.5). */
const slowDownSeconds = 5

const name = /^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/

/** RFC 8628 section 3.2. */
export interface DeviceAuthorization {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
  readonly interval: number
}

/** What a person sees before answering. */
export interface PairingRequest {
  readonly name: string
  readonly scopes: readonly string[]
  /** The first 8 characters of the key's thumbprint: the runner shows the same. */
  readonly fingerprint: string
  readonly expiresAt: number
}

/** Who answers: the subject and the organisation of a verified session. */
export interface Approver {
  readonly person: string
  readonly organization: string
}

export async function startPairing(
  setting: Setting,
  form: ReadonlyMap<string, string>,
  thumbprint: string,
): Promise<DeviceAuthorization> {
  const { store, clock, intervalSeconds, deviceCodeLifeSeconds, verificationUrl, audit } = setting
  const wanted = form.get('name') ?? ''
  const scopes = readScope(form.get('scope') ?? '')
  if (!name.test(wanted))
    refuse('invalid_request', 'The "name" is not 1 to 64 letters, digits, dots, dashes or spaces.')
  if (scopes.length === 0) refuse('invalid_request', 'The "scope" names no scope.')
  const deviceCode = randomSecret(32)
  const startedAt = Math.floor(clock.now())
  const pairing: Omit<Pairing, 'userCode'> = {
    deviceCodeHash: await sha256(deviceCode),
    thumbprint,
    name: wanted,
    scopes,
    state: 'pending',
    startedAt,
    expiresAt: startedAt + deviceCodeLifeSeconds,
    intervalSeconds,
  }
  await audit({ type: 'pairing_started', name: wanted, thumbprint })
  let userCode = randomUserCode()
  while (!(await store.addPairing({ ...pairing, userCode }))) userCode = randomUserCode()
  const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`
  const complete = new URL(verificationUrl)
  complete.searchParams.set('user_code', shown)
  return {
    device_code: deviceCode,
    user_code: shown,
    verification_uri: verificationUrl,
    verification_uri_complete: complete.href,
    expires_in: deviceCodeLifeSeconds,
    interval: intervalSeconds,
  }
}

/** The runner that a device code was approved for; from then on the code is used. */
export async function redeem(setting: Setting, deviceCode: string, thumbprint: string): Promise<Runner> {
  const { store, clock } = setting
  const pairing = await store.pairingByDeviceCode(await sha256(deviceCode))
  // A code in another key's hands is not told from none.
  if (pairing === undefined || pairing.thumbprint !== thumbprint) return refuse('unknown_device_code')
  const { deviceCodeHash, state, lastPollAt, intervalSeconds, startedAt } = pairing
  if (state === 'used') return refuse('device_code_used')
  if (clock.now() >= pairing.expiresAt) return refuse('device_code_expired')
  if (state === 'denied') return refuse('device_code_denied')
  const now = clock.now()
  if (now - (lastPollAt ?? startedAt - intervalSeconds) < intervalSeconds) {
    await store.notePoll(deviceCodeHash, now, Math.min(60, intervalSeconds + slowDownSeconds))
    return refuse('device_code_too_fast')
  }
  if (state === 'pending') {
    await store.notePoll(deviceCodeHash, now, intervalSeconds)
    return refuse('device_code_pending')
  }
  if (!(await store.movePairing(deviceCodeHash, 'approved', 'used'))) return refuse('device_code_used')
  return (await store.runnerByKey(thumbprint)) ?? refuse('unpaired_runner')
}

async function findPending(setting: Setting, by: Approver, userCode: string): Promise<Pairing> {
  const { store, clock } = setting
  const now = clock.now()
  const since = now - wrongCodes.withinSeconds
  if ((await store.wrongCodes(by.person, since)) >= wrongCodes.most) return refuse('too_many_attempts')
  const pairing = await store.pairingByUserCode(readUserCode(userCode))
  if (pairing !== undefined && pairing.state === 'pending' && now < pairing.expiresAt) return pairing
  const count = await store.countWrongCode(by.person, now, since)
  return refuse(count > wrongCodes.most ? 'too_many_attempts' : 'unknown_user_code')
}

export async function lookUp(setting: Setting, by: Approver, userCode: string): Promise<PairingRequest> {
  const { name, scopes, thumbprint, expiresAt } = await findPending(setting, by, userCode)
  return { name, scopes, fingerprint: thumbprint.slice(0, 8), expiresAt }
}

export async function approve(setting: Setting, by: Approver, userCode: string, workspace: string): Promise<Runner> {
  const { store, clock, grants, audit } = setting
  const pairing = await findPending(setting, by, userCode)
  const granted = await grants(by.person, by.organization)
  if (granted === undefined) return refuse('not_a_member')
  if (granted.workspaces !== 'all' && !granted.workspaces.includes(workspace)) return refuse('foreign_workspace')
  if (!pairing.scopes.every((scope) => granted.scopes.includes(scope))) return refuse('scope_too_wide')
  const runner: Runner = {
    id: `runner_${randomSecret(16)}`,
    name: pairing.name,
    organization: by.organization,
    workspace,
    owner: by.person,
    thumbprint: pairing.thumbprint,
    scopes: pairing.scopes,
    epoch: 1,
    revoked: false,
    pairedAt: Math.floor(clock.now()),
  }
  await audit({ type: 'pairing_approved', runner: runner.id, by: by.person, organization: by.organization, workspace })
  const outcome = await store.approve(pairing.deviceCodeHash, runner)
  if (outcome === 'approved') return runner
  return refuse(outcome === 'not_pending' ? 'unknown_user_code' : outcome)
}

export async function deny(setting: Setting, by: Approver, userCode: string): Promise<void> {
  const pairing = await findPending(setting, by, userCode)
  await setting.audit({ type: 'pairing_denied', name: pairing.name, by: by.person })
  if (!(await setting.store.movePairing(pairing.deviceCodeHash, 'pending', 'denied'))) refuse('unknown_user_code')
}
