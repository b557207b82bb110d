import type { VerifierOptions } from '@countersign/tokens'
import type { IssuerGuardOptions, VerifierGuardOptions } from './create-guard.ts'
import { GuardError } from './errors.ts'
import type { IssuerFeedOptions } from './issuer-link.ts'

interface Rule {
  readonly holds: (value: unknown) => boolean
  readonly must: string
}

type Names<Options> = Readonly<Record<Extract<keyof Options, string>, Rule>>

function hasFunctions(value: unknown, ...names: readonly string[]): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const anything: Rule = { holds: () => true, must: 'may be anything' }
const callable: Rule = { holds: (value) => typeof value === 'function', must: 'must be a function' }
const record: Rule = { holds: isRecord, must: 'must be an object of options' }
const text: Rule = { holds: (value) => typeof value === 'string' && value !== '', must: 'must be text' }
const url: Rule = { holds: (value) => typeof value === 'string' && URL.canParse(value), must: 'must be a URL, as text' }

const common = {
  revocations: {
    holds: (value) => value === false || hasFunctions(value, 'isRevoked', 'onChange'),
    must: 'must be followRevocations(…) or anything else with isRevoked() and onChange(); or false',
  },
  introspect: callable,
  resource: text,
  clock: {
    holds: (value) => hasFunctions(value, 'now', 'monotonicMs', 'after'),
    must: 'must be a clock: an object with now(), monotonicMs() and after()',
  },
  onEvent: callable,
  consumer: {
    holds: (value) => isRecord(value) && typeof value.audience === 'string' && isRecord(value.scopes),
    must: 'must be an entry of a consumer matrix: { audience, scopes, … }',
  },
} as const satisfies Record<string, Rule>

const ofVerifier: Names<VerifierGuardOptions> = {
  ...common,
  verifier: {
    holds: (value) => hasFunctions(value, 'verify'),
    must: 'must be a verifier: createVerifier(…) or anything else with verify()',
  },
  issuer: text,
}

const ofIssuer: Names<IssuerGuardOptions> = {
  ...common,
  issuer: url,
  audience: text,
  jwksUrl: url,
  jwks: record,
  feed: record,
  verify: record,
}

// Which URLs are good is the feed's to say.
const ofFeed: Names<IssuerFeedOptions> = {
  url: text,
  ackUrl: text,
  ack: callable,
  onEvent: callable,
  fetch: callable,
  random: callable,
  keys: anything,
  jwks: record,
  instance: text,
  freshness: record,
  limits: record,
}

/** What stands in `verify`; false where the guard gives it. */
const ofVerify: Readonly<Record<Extract<keyof VerifierOptions, string>, boolean>> = {
  issuer: false,
  audience: false,
  keys: false,
  clock: false,
  algorithms: true,
  cache: true,
  clockToleranceSeconds: true,
  ed25519: true,
  isRevoked: true,
  maxLifeSeconds: true,
  maxTokenLength: true,
  profile: true,
}

function refuse(message: string): never {
  throw new GuardError('bad_option', `createGuard: ${message}.`)
}

/** What to do about a name that is none here: it may be right elsewhere. */
function whereItBelongs(name: string, hasVerifier: boolean): string {
  if (hasVerifier && Object.hasOwn(ofIssuer, name)) return 'is not for a guard with `verifier`, which has its own'
  if (hasVerifier && Object.hasOwn(ofVerify, name)) return 'belongs to the verifier'
  if (name === 'keys') return 'is not for a guard with `issuer`: give `jwksUrl`, or a `verifier` with keys of your own'
  if (Object.hasOwn(ofVerify, name)) return 'belongs into `verify`'
  return 'is not the name of an option'
}

function checkEach(
  options: Readonly<Record<string, unknown>>,
  rules: Readonly<Record<string, Rule>>,
  before: string,
  hasVerifier = false,
): void {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) {
      const problem = before === '' ? whereItBelongs(name, hasVerifier) : 'is not the name of an option'
      refuse(`\`${before}${name}\` ${problem}`)
    } else if (value !== undefined && !rule.holds(value)) refuse(`\`${before}${name}\` ${rule.must}`)
  }
}

/**
 * Holds the options of a guard to their names and kinds. One that was misspelt, or that the guard would not look at,
 * would else be passed over in silence: a `revocation: false`, a `profile` beside `verify`, an `audience` beside a
 * verifier.
 *
 * @throws GuardError `bad_option`, naming the option; what `verify`, `jwks` and the feed's own hold is checked there
 */
export function checkOptions(options: unknown): void {
  if (!isRecord(options)) refuse('it takes an object of options')
  const hasVerifier = Object.hasOwn(options, 'verifier')
  // There under its name, yet nothing: that must not become a fault of each request.
  if (hasVerifier && options.verifier === undefined) refuse(`\`verifier\` ${ofVerifier.verifier.must}`)
  checkEach(options, hasVerifier ? ofVerifier : ofIssuer, '', hasVerifier)
  if (hasVerifier) return
  if (options.issuer === undefined) refuse('give `issuer` and `audience`, or a `verifier`')
  const { verify, feed } = options
  for (const name of Object.keys(isRecord(verify) ? verify : {})) {
    if (Object.hasOwn(ofVerify, name) && !ofVerify[name as keyof typeof ofVerify]) {
      refuse(`\`verify.${name}\` is the guard's own to give`)
    }
  }
  if (isRecord(feed)) checkEach(feed, ofFeed, 'feed.')
}
