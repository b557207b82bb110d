import { AuthError } from '../auth-error.ts'

/** What a deployment is configured with. Read it from wherever it stands: this package reads no environment. */
export interface ClerkEnvironment {
  readonly stage: 'dev' | 'staging' | 'prod'
  /** `pk_test_…` or `pk_live_…`: names the instance. */
  readonly publishableKey?: string
  /** `sk_test_…` or `sk_live_…`. */
  readonly secretKey?: string
  /** The Frontend API URL, exactly as in `iss`. */
  readonly issuer?: string
  /** `whsec_…` of the webhook endpoint. */
  readonly webhookSecret?: string
  readonly authorizedParties?: readonly string[]
}

export interface EnvironmentProblem {
  readonly setting: keyof ClerkEnvironment
  readonly problem: 'missing' | 'malformed' | 'wrong_stage' | 'mixed' | 'wrong_instance' | 'insecure'
  /** What is wrong and what to do about it; never the value. */
  readonly message: string
}

type Kind = 'test' | 'live'

const stages: readonly unknown[] = ['dev', 'staging', 'prod']
const webhookSecretForm = /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/

/**
 * What is wrong with a deployment's settings, all of it at once: missing ones, keys of two instances or of another
 * stage, an issuer that is not the publishable key's, sites that no token should be taken from.
 *
 * Staging may be either: a development instance of its own, or a production one under its own domain.
 */
export function checkClerkEnvironment(environment: ClerkEnvironment): readonly EnvironmentProblem[] {
  const { publishableKey, secretKey, webhookSecret } = environment
  const problems: EnvironmentProblem[] = []
  const add = (
    setting: EnvironmentProblem['setting'],
    problem: EnvironmentProblem['problem'],
    message: string,
  ): void => {
    problems.push({ setting, problem, message })
  }

  if (!stages.includes(environment.stage)) add('stage', 'malformed', 'A stage is dev, staging or prod.')
  for (const setting of ['publishableKey', 'secretKey', 'issuer', 'webhookSecret', 'authorizedParties'] as const) {
    const value = environment[setting]
    if (value === undefined || value.length === 0) add(setting, 'missing', messages[setting])
  }
  const instance = publishableKey ? readPublishableKey(publishableKey) : undefined
  if (publishableKey && instance === undefined) {
    add('publishableKey', 'malformed', "A publishable key is pk_test_ or pk_live_ and the instance's host in base64.")
  }
  const secretKind = /^sk_(test|live)_[A-Za-z0-9]{10,}$/.exec(secretKey ?? '')?.[1] as Kind | undefined
  if (secretKey && secretKind === undefined) {
    add('secretKey', 'malformed', 'A secret key is sk_test_ or sk_live_, then letters and digits.')
  }
  for (const [setting, kind] of [
    ['publishableKey', instance?.kind],
    ['secretKey', secretKind],
  ] as const) {
    const wrong = kind === undefined ? undefined : wrongStage(kind, environment.stage)
    if (wrong !== undefined) add(setting, 'wrong_stage', wrong)
  }
  if (instance !== undefined && secretKind !== undefined && instance.kind !== secretKind) {
    add(
      'secretKey',
      'mixed',
      'One key is of a development instance and one of a production instance: take both of one.',
    )
  }
  if (webhookSecret && !webhookSecretForm.test(webhookSecret)) {
    add(
      'webhookSecret',
      'malformed',
      "A signing secret is whsec_ and base64, as the endpoint's page in the dashboard has it.",
    )
  }
  checkIssuer(environment, instance?.host, add)
  checkParties(environment, add)
  return problems
}

/**
 * The same, thrown: for the start of a service.
 *
 * @throws AuthError `bad_option` naming every problem
 */
export function assertClerkEnvironment(environment: ClerkEnvironment): void {
  const problems = checkClerkEnvironment(environment)
  if (problems.length === 0) return
  throw new AuthError('bad_option', problems.map(({ setting, message }) => `${setting}: ${message}`).join('\n'))
}

const messages = {
  publishableKey: `Take it from "API keys" in Clerk's dashboard.`,
  secretKey: `Take it from "API keys" in Clerk's dashboard, and keep it where secrets are kept.`,
  issuer: `It is the "Frontend API URL" in Clerk's dashboard.`,
  webhookSecret: `It is the "Signing secret" of the endpoint in Clerk's dashboard; without it roles go stale.`,
  authorizedParties: 'Name the sites that tokens are made for; without them tokens of any site are taken.',
} as const

type Add = (setting: EnvironmentProblem['setting'], problem: EnvironmentProblem['problem'], message: string) => void

function checkIssuer({ issuer, stage }: ClerkEnvironment, host: string | undefined, add: Add): void {
  if (!issuer) return
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  if (url === undefined || url.origin !== issuer) {
    add('issuer', 'malformed', 'An issuer is an origin, such as https://clerk.example.com, without a slash at the end.')
    return
  }
  if (url.protocol !== 'https:' && (isStrict(stage) || !isLoopback(url))) {
    add('issuer', 'insecure', 'An issuer is https; http is for a stand-in on loopback, outside of prod.')
  }
  if (host !== undefined && url.host !== host) {
    add('issuer', 'wrong_instance', 'The publishable key is of another instance than the issuer.')
  }
}

function checkParties({ authorizedParties = [], stage }: ClerkEnvironment, add: Add): void {
  for (const [index, party] of authorizedParties.entries()) {
    const url = URL.canParse(party) ? new URL(party) : undefined
    if (url === undefined || url.origin !== party) {
      add('authorizedParties', 'malformed', `Entry ${index} is no origin, such as https://app.example.com.`)
    } else if (isStrict(stage) && (url.protocol !== 'https:' || isLoopback(url))) {
      add(
        'authorizedParties',
        'insecure',
        `Entry ${index} is not https, or on loopback: any program there could use its tokens.`,
      )
    }
  }
}

function wrongStage(kind: Kind, stage: ClerkEnvironment['stage']): string | undefined {
  if (kind === 'test' && isStrict(stage))
    return 'A key of a development instance in prod: its limits and cookies are not for that.'
  if (kind === 'live' && stage === 'dev')
    return 'A key of a production instance in dev: a mistake there reaches real people.'
  return undefined
}

/** The instance that a publishable key names: its host and a dollar sign, in base64. */
function readPublishableKey(key: string): { readonly kind: Kind; readonly host: string } | undefined {
  const [, kind, encoded = ''] = /^pk_(test|live)_([A-Za-z0-9+/=]{4,400})$/.exec(key) ?? []
  if (kind === undefined) return undefined
  try {
    const decoded = atob(encoded)
    const host = decoded.slice(0, -1)
    return decoded.endsWith('$') && /^[a-z0-9.-]+(:\d+)?$/.test(host) ? { kind: kind as Kind, host } : undefined
  } catch {
    return undefined
  }
}

/** A stage that is none of ours is held to the rules of prod. */
function isStrict(stage: ClerkEnvironment['stage']): boolean {
  return stage !== 'dev' && stage !== 'staging'
}

function isLoopback({ hostname }: URL): boolean {
  return /^((.+\.)?localhost\.?|127(\.\d+){3}|0\.0\.0\.0|\[::1?\]|\[::ffff:7f.*\])$/.test(hostname)
}
