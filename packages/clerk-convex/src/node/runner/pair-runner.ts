import { type Clock, systemClock } from '@countersign/tokens'
import { generateDpopKey } from '@countersign/tokens/dpop'
import * as z from 'zod'
import { checkUrl, type Fetch, post } from './endpoint.ts'
import { type KeyStore, loadKey } from './key-store.ts'
import { pause } from './pause.ts'
import { isRunnerError, RunnerError } from './runner-error.ts'

export interface PairingCode {
  /** What the person types in. */
  readonly userCode: string
  readonly verificationUrl: string
  /** With the code in it, for a QR code or a link. */
  readonly verificationUrlComplete: string
  /** The page shows the same: otherwise it is another runner's code. */
  readonly fingerprint: string
  readonly expiresInSeconds: number
}

export interface PairRunnerOptions {
  /** Where the runner endpoints answer: the server's `url`. */
  readonly url: string
  /** How people will know this machine: 1 to 64 letters, digits, dots, dashes, spaces. */
  readonly name: string
  readonly scopes: readonly string[]
  /** A key is made and kept if there is none. */
  readonly keys: KeyStore
  /** Shows the code to whoever sits there. */
  readonly onCode: (code: PairingCode) => void
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly fetch?: Fetch
}

export interface PairedRunner {
  readonly runner: string
  readonly organization: string
  readonly workspace: string
  readonly scopes: readonly string[]
}

const deviceSchema = z.object({
  device_code: z.string().min(1).max(512),
  user_code: z.string().min(1).max(32),
  verification_uri: z.string().max(2_048),
  verification_uri_complete: z.string().max(2_048),
  expires_in: z.number().positive().max(86_400),
  interval: z.number().min(0).max(600).default(5),
})
const pairedSchema = z.object({
  runner_id: z.string(),
  organization: z.string(),
  workspace: z.string(),
  scope: z.string(),
})

/** Longest pause between two polls, however often the endpoint is out of reach. */
const longestPauseSeconds = 60

function read<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const { data } = schema.safeParse(body)
  if (data === undefined) throw new RunnerError('issuer_unavailable', 'The runner endpoint answered in another form.')
  return data
}

/**
 * Pairs this machine: shows a code, and waits until somebody approves it in the browser (RFC 8628). An endpoint that is
 * out of reach meanwhile is asked again, ever more slowly, until the code ends. Nothing but the key is kept.
 *
 * @throws RunnerError `pairing_refused`, `pairing_expired`, `issuer_unavailable`; the signal's reason
 */
export async function pairRunner(options: PairRunnerOptions): Promise<PairedRunner> {
  const { url, name, scopes, keys, onCode, signal, clock = systemClock, fetch = globalThis.fetch } = options
  checkUrl(url, 'url')
  if ((await keys.load()) === undefined) await keys.save(await generateDpopKey())
  const key = await loadKey(keys)
  const asking = { key, clock, fetch, signal }
  const started = await post(`${url}/device_authorization`, { name, scope: scopes.join(' ') }, asking)
  if (!started.ok) throw new RunnerError('pairing_refused', undefined, { reason: started.error })
  const device = read(deviceSchema, started.body)
  const endsAtMs = clock.monotonicMs() + device.expires_in * 1000
  onCode({
    userCode: device.user_code,
    verificationUrl: device.verification_uri,
    verificationUrlComplete: device.verification_uri_complete,
    fingerprint: key.thumbprint.slice(0, 8),
    expiresInSeconds: device.expires_in,
  })
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code }
  let interval = device.interval
  while (clock.monotonicMs() < endsAtMs) {
    await pause(clock, interval, signal)
    const outcome = await post(`${url}/token`, form, asking).catch((error: unknown) => {
      if (!isRunnerError(error) || error.code !== 'issuer_unavailable') throw error
      // RFC 8628 section 3.5: on a timeout the client slows down.
      interval = Math.min(longestPauseSeconds, interval * 2)
      return undefined
    })
    if (outcome === undefined) continue
    if (outcome.ok) {
      const { runner_id, organization, workspace, scope } = read(pairedSchema, outcome.body)
      return { runner: runner_id, organization, workspace, scopes: scope.split(' ') }
    }
    if (outcome.error === 'slow_down') interval += 5
    else if (outcome.error === 'expired_token') break
    else if (outcome.error !== 'authorization_pending') {
      throw new RunnerError('pairing_refused', undefined, { reason: outcome.error })
    }
  }
  throw new RunnerError('pairing_expired')
}
