import { AuthError } from './auth-error.ts'
import { readPermissions } from './permissions.ts'

/** The organisation that a session has chosen. It only selects: what the user may do there is for our own table to say. */
export interface ClerkOrganization {
  readonly id: string
  readonly slug?: string
  /** With its prefix, `org:admin`, as Clerk's own SDK gives it. Display only. */
  readonly role?: string
  /** `org:feature:permission`. A role that is taken away stays in a token until its end, a minute with Clerk's defaults. */
  readonly permissions: readonly string[]
}

/** What a Clerk session says, whichever way it was spelt. */
export interface ClerkClaims {
  readonly subject: string
  readonly issuer: string
  /** `sid`; absent in tokens of a JWT template. */
  readonly session?: string
  /** `azp`: the origin that the token was made for. */
  readonly authorizedParty?: string
  readonly organization?: ClerkOrganization
  /** `pending`: the session still has tasks, such as choosing an organisation; nobody is signed in by it. */
  readonly status: 'active' | 'pending'
  /** `fva`: minutes since each factor was verified, -1 for never; absent where Convex dropped it. */
  readonly factorAges?: readonly [first: number, second: number]
  /** `act.sub`: who impersonates the subject. */
  readonly actor?: string
}

/** Subjects of M2M tokens, which an instance signs with the key of its sessions. */
export const machinePrefix = 'mch_'

type Raw = Readonly<Record<string, unknown>>

/**
 * Reads the claims of a verified token, or an identity of Convex: version 1 (`org_id`), version 2 (`o`), and version 2
 * as Convex's custom JWT flattens it (`o.id`). It checks no signature and no lifetime: pass what was verified.
 *
 * @throws AuthError `bad_claims` when a claim has a wrong type or two spellings contradict each other
 */
export function parseClerkClaims(raw: unknown): ClerkClaims {
  if (!isObject(raw)) return refuse('The claims are not an object.')
  const subject = agreed('the subject', text(raw, 'sub'), text(raw, 'subject'))
  const issuer = agreed('the issuer', text(raw, 'iss'), text(raw, 'issuer'))
  if (subject === undefined || issuer === undefined) return refuse('"sub" and "iss" must be there.')
  if (subject.startsWith(machinePrefix)) return refuse('The subject is a machine, and not somebody with a session.')
  const session = text(raw, 'sid')
  const authorizedParty = text(raw, 'azp')
  const organization = readOrganization(raw)
  const factorAges = readFactorAges(own(raw, 'fva'))
  const actor = readActor(raw)
  return Object.freeze({
    subject,
    issuer,
    status: readStatus(own(raw, 'sts')),
    ...(session === undefined ? {} : { session }),
    ...(authorizedParty === undefined ? {} : { authorizedParty }),
    ...(organization === undefined ? {} : { organization }),
    ...(factorAges === undefined ? {} : { factorAges }),
    ...(actor === undefined ? {} : { actor }),
  })
}

/** Who impersonates must not get lost: an `act` of any other form is none to go on with. */
function readActor(raw: Raw): string | undefined {
  const act = nested(raw, 'act')
  const actor = agreed('the actor', text(act, 'sub', 'act.'), text(raw, 'act.sub'))
  const isThere = act !== undefined || Object.keys(raw).some((name) => name.startsWith('act.'))
  return isThere && actor === undefined ? refuse('An actor without a name.') : actor
}

function readOrganization(raw: Raw): ClerkOrganization | undefined {
  const o = nested(raw, 'o')
  const read = (long: string, short: string, spell = (value: string | undefined) => value): string | undefined => {
    const what = `the organisation's ${short}`
    const two = agreed(what, spell(text(o, short, 'o.')), spell(text(raw, `o.${short}`)))
    const one = spell(text(raw, long))
    // Clerk reads version 1 nowhere in a token of version 2.
    if (isVersion2(raw) && one !== undefined && one !== two) return refuse(`Version 2 does not have "${long}".`)
    return agreed(what, two, one)
  }
  const id = read('org_id', 'id')
  const slug = read('org_slug', 'slg')
  const role = read('org_role', 'rol', withPrefix)
  if (id === undefined) {
    const named = slug !== undefined || role !== undefined || o !== undefined
    return named ? refuse('An organisation without an id.') : undefined
  }
  return Object.freeze({
    id,
    permissions: Object.freeze(readGranted(raw, o)),
    ...(slug === undefined ? {} : { slug }),
    ...(role === undefined ? {} : { role }),
  })
}

function readGranted(raw: Raw, o: Raw | undefined): readonly string[] {
  const listed = isVersion2(raw) ? undefined : own(raw, 'org_permissions')
  if (listed !== undefined && listed !== null) {
    const isGood = Array.isArray(listed) && listed.every((one) => typeof one === 'string' && one.length <= 512)
    return isGood ? [...listed] : refuse('"org_permissions" must be a list of names.')
  }
  const read = (name: string): string => list(o, name) || list(raw, `o.${name}`)
  return readPermissions({ features: list(raw, 'fea'), permissions: read('per'), masks: read('fpm') })
}

/** What a token says about itself; one that says nothing is read by what it has. */
function isVersion2(raw: Raw): boolean {
  return own(raw, 'v') === 2
}

/** A comma-separated list, which may be empty. */
function list(raw: Raw | undefined, name: string): string {
  const value = raw === undefined ? undefined : own(raw, name)
  if (value === undefined || value === null) return ''
  return typeof value === 'string' && value.length <= 4_096 ? value : refuse(`"${name}" must be a list in one string.`)
}

/** Version 2 leaves `org:` out. */
function withPrefix(role: string | undefined): string | undefined {
  return role === undefined || role.startsWith('org:') ? role : `org:${role}`
}

function readStatus(value: unknown): 'active' | 'pending' {
  if (value === undefined || value === null || value === 'active') return 'active'
  // A status that is not known is none to be signed in by.
  return typeof value === 'string' ? 'pending' : refuse('"sts" must be a string.')
}

function readFactorAges(value: unknown): readonly [number, number] | undefined {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || value.length !== 2) return refuse('"fva" must hold two ages.')
  const [first, second]: unknown[] = value
  if (!isAge(first) || !isAge(second)) return refuse('"fva" must hold whole minutes, or -1.')
  return Object.freeze([first, second] as const)
}

function isAge(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= -1
}

function nested(raw: Raw, name: string): Raw | undefined {
  const value = own(raw, name)
  if (value === undefined || value === null) return undefined
  return isObject(value) ? value : refuse(`"${name}" must be an object.`)
}

/** @param prefix of the name in messages */
function text(raw: Raw | undefined, name: string, prefix = ''): string | undefined {
  const value = raw === undefined ? undefined : own(raw, name)
  if (value === undefined || value === null) return undefined
  const isGood = typeof value === 'string' && value.length > 0 && value.length <= 512 && !/[\p{Cc}\p{Cs}]/u.test(value)
  return isGood ? value : refuse(`"${prefix}${name}" must be 1 to 512 characters without control characters.`)
}

/** Several spellings of one thing: a token that says both and differs is not to be guessed at. */
function agreed(what: string, ...spellings: readonly (string | undefined)[]): string | undefined {
  const [first, ...others] = spellings.filter((one) => one !== undefined)
  return others.every((one) => one === first) ? first : refuse(`Two claims contradict each other about ${what}.`)
}

function own(raw: Raw, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined
}

function isObject(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(message: string): never {
  throw new AuthError('bad_claims', message)
}
