import { z } from 'zod'
import type { Requested } from './account-types.ts'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { organizationParty } from './exchange/foreign-parties.ts'
import type { DeclaredVerifier, ForeignEnd } from './exchange/policy.ts'
import { revoking } from './revoking.ts'

/** The other issuers whose tokens may be exchanged, each by the name that it was declared with. */
export interface ForeignIssuers {
  /** Of those that tell of ends. */
  readonly listening: readonly string[]
  /**
   * Ends what came of something that has ended there: recorded, refused in an exchange from then on, and at every verifier
   * that follows the feed. Again is no fault, and nothing is taken back by an earlier instant that comes later.
   *
   * @throws IssuerError `unknown_issuer`, `invalid_option`
   */
  end(name: string, ended: ForeignEnd, requested?: Requested): Promise<void>
  /** What its `events` answer. @throws IssuerError `unknown_issuer`, and for whatever failed */
  receive(name: string, request: Request): Promise<Response>
}

/** `NAME:org:` stands before an id, and an id in the log has 512 characters at most. */
const id = z
  .string()
  .min(1)
  .max(512 - 37)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u)

const shape = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('session'), id }),
  z.strictObject({
    type: z.enum(['subject', 'organization']),
    id,
    issuedUntil: z.int().min(0).max(0xffff_fffe).exactOptional(),
  }),
])

/** @param caughtUp resolves when this process's own feed holds what was appended */
export function createForeignIssuers(context: Context, caughtUp: () => Promise<void> | undefined): ForeignIssuers {
  const byName = new Map([...context.subjectVerifiers.values()].map((declared) => [declared.name, declared]))
  const find = (name: string): DeclaredVerifier => {
    const found = byName.get(name)
    if (found === undefined) throw new IssuerError('unknown_issuer', 'No issuer is declared by that name.')
    return found
  }
  const end: ForeignIssuers['end'] = async (name, ended, { actor } = {}) => {
    const { longestLifeSeconds } = find(name)
    const parsed = shape.safeParse(ended)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      throw new IssuerError('invalid_option', `ended.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
    }
    const { type: what, id: theirs, ...more } = parsed.data
    const id = `${name}:${theirs}`
    const party = what === 'organization' ? organizationParty(name, theirs) : id
    const known = { type: 'foreign', what, id, party, longestLifeSeconds, ...more } as const
    await revoking(context, known, actor ?? { type: 'system', id: name })
    await caughtUp()
  }
  return {
    listening: [...byName.values()].filter(({ events }) => events !== undefined).map(({ name }) => name),
    end,
    async receive(name, request) {
      const { events } = find(name)
      if (events === undefined) throw new IssuerError('unknown_issuer', 'The issuer by that name tells of no ends.')
      return await events(request, (ended) => end(name, ended))
    },
  }
}
