import type { ExchangeEdge } from '@countersign/consumers'
import type { Principal, Verifier } from '@countersign/tokens'
import { z } from 'zod'
import { IssuerError } from '../errors.ts'
import type { IssuerOptions } from '../options.ts'

/** Another issuer whose tokens may be exchanged for ours. */
export interface SubjectVerifier {
  /**
   * Its people are called by this name, a colon and the `sub` of their token: 1 to 32 of lower-case letters, digits and
   * hyphens, beginning with a letter.
   */
  readonly name: string
  /** Exactly the tokens' `iss`; never this issuer's own. */
  readonly issuer: string
  /** Checks everything about its tokens, whom they are for too: `createVerifier(…)` with a profile, or any other. */
  readonly verifier: Verifier
  /** The audience of the matrix that such tokens are sent to: its edges are theirs. */
  readonly audience: string
  /** What such a token is for, of that audience's scopes: its own are of another world. */
  readonly scopes: readonly string[]
  /** Which of `scopes` this token has: by its organization, or what its holder may do there. @default all of them */
  readonly grants?: (principal: Principal) => Iterable<string>
  /** Longest life of its tokens, 60 to 86,400 s: for as long what has ended there is remembered. @default 86_400 */
  readonly longestLifeSeconds?: number
  /** Takes in what that issuer tells of ends. With it there is a route `POST /issuers/NAME/events`. @default none */
  readonly events?: ForeignEvents
}

/**
 * Reads a request of that issuer, such as a webhook: verifies it, and awaits `end` for each thing that has ended. What it
 * answers is the answer, without its body; what it throws is a fault, answered with a 5xx so that the issuer tries again.
 */
export type ForeignEvents = (request: Request, end: (ended: ForeignEnd) => Promise<void>) => Promise<Response>

/** What has ended at another issuer, by the ids that it gives in its tokens. */
export type ForeignEnd =
  /** With all that came of it, for good. */
  | { readonly type: 'session'; readonly id: string }
  | {
      readonly type: 'subject' | 'organization'
      readonly id: string
      /** Tokens with an `iat` up to this, in whole Unix seconds, and all that came of them. @default every token, for good */
      readonly issuedUntil?: number
    }

export interface DeclaredVerifier {
  readonly name: string
  readonly verifier: Verifier
  readonly audience: string
  readonly scopes: ReadonlySet<string>
  readonly grants: ((principal: Principal) => Iterable<string>) | undefined
  readonly longestLifeSeconds: number
  readonly events: ForeignEvents | undefined
}

const mostVerifiers = 32

const fn = <T>() => z.custom<T>((value) => typeof value === 'function', 'expected a function')

const shape = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected lower-case letters, digits and hyphens'),
  issuer: z.string().min(1).max(2048),
  verifier: z.custom<Verifier>(
    (value) => typeof value === 'object' && value !== null && 'verify' in value && typeof value.verify === 'function',
    'expected a Verifier',
  ),
  audience: z.string(),
  scopes: z.array(z.string()).min(1).max(128),
  grants: fn<NonNullable<SubjectVerifier['grants']>>().optional(),
  longestLifeSeconds: z.int().min(60).max(86_400).default(86_400),
  events: fn<ForeignEvents>().optional(),
})

/** @throws IssuerError `invalid_option` */
export function declareVerifiers(options: IssuerOptions): ReadonlyMap<string, DeclaredVerifier> {
  const parsed = z
    .array(shape)
    .max(mostVerifiers)
    .safeParse(options.subjectVerifiers ?? [])
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw refuse(issue?.path.join('.') ?? '', issue?.message ?? 'invalid')
  }
  const declared = new Map<string, DeclaredVerifier>()
  const names = new Set<string>()
  for (const [index, { name, issuer, verifier, audience, scopes, ...more }] of parsed.data.entries()) {
    const consumer = options.consumers.consumers[audience]
    if (issuer === options.issuer) throw refuse(`${index}.issuer`, 'our own tokens need no declaration')
    if (declared.has(issuer) || names.has(name)) throw refuse(`${index}`, 'the issuer or the name is declared twice')
    if (consumer === undefined) throw refuse(`${index}.audience`, 'it is not in the consumer matrix')
    const unknown = scopes.find((scope) => consumer.scopes[scope] === undefined)
    if (unknown !== undefined) throw refuse(`${index}.scopes`, `"${unknown}" is no scope of "${audience}"`)
    const unnamed = scopes.find((scope) => consumer.scopes[scope]?.byName === true)
    if (unnamed !== undefined) {
      throw refuse(`${index}.scopes`, `"${unnamed}" is given by name, and its people have no account here`)
    }
    names.add(name)
    const { grants, longestLifeSeconds, events } = more
    declared.set(issuer, { name, verifier, audience, scopes: new Set(scopes), grants, longestLifeSeconds, events })
  }
  return declared
}

function refuse(path: string, message: string): IssuerError {
  return new IssuerError('invalid_option', `subjectVerifiers.${path}: ${message}`)
}

/** @throws IssuerError `invalid_option` where an edge wants a record and nothing is recorded */
export function edgesByClient(options: IssuerOptions): ReadonlyMap<string, readonly ExchangeEdge[]> {
  const byClient = new Map<string, ExchangeEdge[]>()
  for (const edge of options.consumers.edges) {
    if ((edge.as === 'impersonation' || edge.reason) && options.audit === undefined) {
      const what = edge.as === 'impersonation' ? 'impersonation is always audited' : 'its reason is for the audit log'
      throw new IssuerError('invalid_option', `audit: the edge from ${edge.from} to ${edge.to} needs it: ${what}`)
    }
    for (const client of edge.by) {
      const key = `${client} ${edge.from}`
      const known = byClient.get(key)
      if (known === undefined) byClient.set(key, [edge])
      else known.push(edge)
    }
  }
  return byClient
}
