import type { ExchangeEdge } from '@countersign/consumers'
import { createRevocationView, type RevocationEntry, type RevocationView } from '@countersign/revocation'
import type { ActClaim, Actor, Principal } from '@countersign/tokens'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type ActingParty,
  type Attenuated,
  attenuate,
  type Exchanger,
  longestChain,
} from '../src/exchange/attenuate.ts'
import type { PresentedToken } from '../src/exchange/presented-token.ts'
import { type Fleet, startFleet } from './exchange-fixture.ts'
import { claimsOf } from './service.ts'

const scopeNames = ['a:read', 'a:write', 'b:read', 'b:write', 'c:read', 'c:write']
const services = [0, 1, 2, 3, 4, 5].map((n) => `client_${n}`)
const issuer = 'https://auth.example.com'
const start = 1_800_000_000

const someScopes = fc.subarray(scopeNames)
/** Mostly everything, so that chains get long. */
const mostScopes = fc.oneof({ arbitrary: fc.constant(scopeNames), weight: 3 }, { arbitrary: someScopes, weight: 1 })
const rarely = <T>(arbitrary: fc.Arbitrary<T>, among: number): fc.Arbitrary<T | null> =>
  fc.oneof({ arbitrary: fc.constant(null), weight: among - 1 }, { arbitrary, weight: 1 })
const generations = fc.array(fc.nat(3), { minLength: services.length, maxLength: services.length })

const steps = fc.array(
  fc.record({
    service: fc.nat(services.length - 1),
    edgeScopes: mostScopes,
    recordScopes: rarely(someScopes, 4),
    requested: rarely(fc.record({ scopes: someScopes, held: fc.boolean() }), 2),
    impersonates: fc.nat(3).map((n) => n === 0),
    actor: fc.nat(4).map((n) => n === 0),
    synthetic: fc.nat(9).map((n) => n === 0),
    lifeSeconds: fc.integer({ min: 1, max: 900 }),
  }),
  { minLength: 1, maxLength: 7, size: 'max' },
)

const world = fc.record({
  generations,
  scopes: mostScopes,
  lifeSeconds: fc.integer({ min: 1, max: 900 }),
  foreign: fc.nat(3).map((n) => n === 0),
  mayAct: rarely(fc.nat(services.length - 1), 8),
  steps,
  ends: fc.nat(99),
})

/** One token of a chain, as a verifier would read it back, and as the next exchange would. */
interface Link {
  readonly presented: PresentedToken
  readonly principal: Principal
  readonly actor?: ActingParty
}

let serial = 0

function toActor(act: ActClaim | undefined): Actor | undefined {
  if (act === undefined) return undefined
  const inner = toActor(act.act)
  const { sub: subject, client_id: clientId } = act
  return { subject, ...(clientId && { clientId }), ...(inner && { actor: inner }) }
}

function depthOf(act: { readonly act?: ActClaim } | undefined): number {
  return act === undefined ? 0 : 1 + depthOf(act.act)
}

function linkOf(made: Attenuated, jti: string, expiresAt: number, actor: ActingParty | undefined): Link {
  const generations = [...made.generations, ...made.actorGenerations, ...made.viaGenerations]
  const acting = toActor(made.act)
  const principal: Principal = {
    issuer,
    subject: made.subject,
    clientId: made.clientId,
    audience: 'x',
    scopes: new Set(made.scope.split(' ').filter((scope) => scope !== '')),
    session: made.session,
    ...(acting && { actor: acting }),
    tokenId: jti,
    ancestors: made.ancestors,
    via: made.via,
    generations,
    keyId: 'key',
    expiresAt,
    ...(made.synthetic && { synthetic: true }),
    claims: {},
  }
  const presented: PresentedToken = {
    from: 'x',
    subject: made.subject,
    scopes: principal.scopes,
    session: made.session,
    ...(made.act && { actor: made.act }),
    actorGenerations: made.actorGenerations,
    via: made.via,
    viaGenerations: made.viaGenerations,
    generations: [made.generations[0], made.generations[1], made.generations[2]],
    expiresAt,
    mayAct: made.mayAct,
    synthetic: made.synthetic,
    own: { tokenId: jti, clientId: made.clientId, ancestors: made.ancestors },
  }
  return { presented, principal, ...(actor && { actor }) }
}

/** The chain that comes of it: the first is the token before any exchange; a refused step changes nothing. */
function chainOf(input: typeof world extends fc.Arbitrary<infer T> ? T : never): Link[] {
  const run = `${++serial}`
  const generationOf = (n: number) => input.generations[n] ?? 0
  const root: Attenuated = {
    subject: `user_${run}`,
    clientId: `client_root_${run}`,
    session: `sid_${run}`,
    scope: input.scopes.join(' '),
    generations: [0, 2, 1],
    actorGenerations: [],
    ...(input.mayAct === null ? {} : { mayAct: { sub: services[input.mayAct] } }),
    ancestors: [],
    via: [],
    viaGenerations: [],
    notAfter: start + input.lifeSeconds,
    synthetic: false,
  }
  const first = linkOf(root, `jti_${run}_0`, root.notAfter, undefined)
  const { own: _, ...unowned } = first.presented
  const chain = [input.foreign ? { ...first, presented: unowned } : first]
  for (const [index, step] of input.steps.entries()) {
    const before = chain.at(-1)
    if (before === undefined) break
    const client: Exchanger = {
      id: services[step.service] ?? '',
      generation: generationOf(step.service),
      synthetic: step.synthetic,
      scopes: step.recordScopes,
    }
    const edge: ExchangeEdge = {
      from: 'x',
      to: 'y',
      scopes: step.edgeScopes,
      as: step.impersonates ? 'impersonation' : 'delegation',
      by: [],
      reason: false,
    }
    const operator = `operator_${run}_${index}`
    const actor: ActingParty | undefined = step.actor
      ? {
          subject: operator,
          restsOn: [`client_console_${run}`, operator, `sid_${operator}`, `jti_${operator}`].map((id) => [id, 0]),
          expiresAt: start + step.lifeSeconds,
          synthetic: false,
        }
      : undefined
    // Half of the requests name what may be had, the others anything.
    const { requested } = step
    const held = requested?.held === true ? before.presented.scopes : undefined
    const scopes = requested === null ? undefined : new Set(requested.scopes.filter((one) => held?.has(one) ?? true))
    const made = attenuate(before.presented, client, { edge, scopes, issuer, ...(actor && { actor }) })
    if (typeof made === 'string') continue
    const link = linkOf(made, `jti_${run}_${index + 1}`, Math.min(start + step.lifeSeconds, made.notAfter), actor)
    checkStep(before, link, made, client, edge, scopes)
    chain.push(link)
  }
  return chain
}

function checkStep(
  before: Link,
  { principal, actor }: Link,
  made: Attenuated,
  client: Exchanger,
  edge: ExchangeEdge,
  requested: ReadonlySet<string> | undefined,
): void {
  const holds = (condition: boolean, what: string): void => {
    if (!condition) throw new Error(what)
  }
  const { presented } = before
  for (const scope of principal.scopes) {
    const allowed = client.scopes === null || client.scopes.includes(scope)
    holds(presented.scopes.has(scope) && edge.scopes.includes(scope) && allowed, `${scope} was added`)
    holds(requested === undefined || requested.has(scope), `${scope} was not asked for`)
  }
  holds(principal.expiresAt <= presented.expiresAt, 'it outlives its parent')
  holds(actor === undefined || principal.expiresAt <= actor.expiresAt, 'it outlives its actor')
  holds(made.subject === presented.subject && made.session === presented.session, 'the subject changed')
  holds(depthOf(made.act) <= longestChain && made.ancestors.length <= longestChain && made.via.length <= 8, 'too deep')
  holds(principal.generations.length === 3 + depthOf(made.act) + made.via.length, 'generations do not fit')
  const delegated = edge.as === 'delegation'
  holds((delegated ? made.act?.act : made.act) === presented.actor, 'who acted before was lost')
  holds(!delegated || made.act?.client_id === client.id, 'who acts is not named')
  holds(made.mayAct === presented.mayAct, 'may_act was lost')
  holds(made.synthetic || !presented.synthetic, 'the monitor was forgotten')
  const own = presented.own
  holds(own === undefined || made.ancestors[0] === own.tokenId, 'the parent is not named')
}

async function emptyView(): Promise<RevocationView> {
  const view = createRevocationView()
  await view.load({ position: { epoch: 1, seq: 0 }, count: 0, digest: '0'.repeat(16), entries: new Uint8Array() })
  return view
}

/** Whatever a token names that can end: of each the token itself must end. */
function endsOf({ presented, principal, actor }: Link): RevocationEntry[] {
  const until = start + 10_000
  const [, ofClient = 0, ofSubject = 0] = principal.generations
  return [
    ...(presented.own === undefined ? [] : [{ type: 'jti' as const, id: presented.own.tokenId, until }]),
    { type: 'sid', id: presented.session, until },
    { type: 'subject', id: presented.subject, minGeneration: ofSubject + 1, until },
    // A client that many chains have in common is not ended here: the view is for all of them.
    ...(presented.own === undefined || services.includes(principal.clientId ?? '')
      ? []
      : [{ type: 'client' as const, id: principal.clientId ?? '', minGeneration: ofClient + 1, until }]),
    ...(actor === undefined
      ? []
      : [
          { type: 'subject' as const, id: actor.subject, minGeneration: 1, until },
          { type: 'sid' as const, id: `sid_${actor.subject}`, until },
          { type: 'jti' as const, id: `jti_${actor.subject}`, until },
        ]),
  ]
}

it('holds over 10,000 random chains: no widening, no outliving, no overflow, every descendant ends with its parent', async () => {
  const view = await emptyView()
  let seq = 0
  let longest = 0
  let links = 0
  fc.assert(
    fc.property(world, (input) => {
      const chain = chainOf(input)
      links += chain.length - 1
      longest = Math.max(longest, chain.length)
      const ended = input.ends % chain.length
      const parent = chain[ended]
      if (parent === undefined) return
      const options = endsOf(parent)
      const entry = options[Math.floor(input.ends / 8) % options.length]
      if (entry === undefined) return
      if (chain.some(({ principal }) => view.isRevoked(principal))) throw new Error('revoked before')
      view.apply(1, [{ seq: ++seq, change: 'add', entry }])
      for (const [index, { principal, presented }] of chain.entries()) {
        // What another issuer's token is revoked by is its own affair.
        if (index >= ended && (index > 0 || presented.own !== undefined) && !view.isRevoked(principal)) {
          throw new Error(`link ${index} outlived the ${entry.type} of link ${ended}`)
        }
        const concernsOnlyLater = entry.type === 'jti' || ('id' in entry && entry.id.includes('operator'))
        if (index < ended && concernsOnlyLater && view.isRevoked(principal)) throw new Error('ended for its child')
      }
    }),
    { numRuns: 10_000 },
  )
  expect(longest).toBeGreaterThanOrEqual(5)
  expect(links).toBeGreaterThan(5_000)
})

it('ends with any service that it went through, at the generation that it went through under', async () => {
  const withSteps = world.filter(({ scopes }) => scopes.length > 2)
  for (const input of fc.sample(withSteps, { numRuns: 500, seed: 42 })) {
    const chain = chainOf(input)
    for (const [index, { principal }] of chain.entries()) {
      if (index === 0) continue
      const view = await emptyView()
      const id = principal.clientId ?? ''
      const minGeneration = (principal.generations[1] ?? 0) + 1
      view.apply(1, [{ seq: 1, change: 'add', entry: { type: 'client', id, minGeneration, until: start + 900 } }])
      for (const later of chain.slice(index)) expect(view.check(later.principal)).toBe('client')
    }
  }
})

it('holds for real tokens too', async () => {
  const fleet: Fleet = await startFleet()
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(['agents:read', 'chat:write', 'jobs:run'], { minLength: 1 }),
        fc.array(fc.record({ waits: fc.nat(40), asks: fc.option(fc.subarray(['agents:read', 'jobs:run'])) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat(20),
        async (scopes, steps, ends) => {
          const chain = [await fleet.signIn({ scope: scopes.join(' ') })]
          for (const { waits, asks } of steps) {
            fleet.service.clock.pass(waits)
            const before = chain.at(-1) ?? ''
            const { aud } = claimsOf(before)
            const by = String(aud)
            const audience = by === 'billing-worker' ? 'ledger' : 'billing-worker'
            const fields = { audience, ...(asks === null || asks.length === 0 ? {} : { scope: asks.join(' ') }) }
            const answer = await fleet.exchange(by, before, fields)
            if (answer.status !== 200) continue
            const [parent, child] = [claimsOf(before), claimsOf(answer.body.access_token)]
            const had = String(parent.scope).split(' ')
            expect(
              String(child.scope)
                .split(' ')
                .every((scope) => had.includes(scope)),
            ).toBe(true)
            expect(Number(child.exp)).toBeLessThanOrEqual(Number(parent.exp))
            expect((child.anc as string[]).length).toBeLessThanOrEqual(4)
            chain.push(answer.body.access_token)
          }
          const ended = ends % chain.length
          await fleet.service.issuer.revokeToken(chain[ended] ?? '')
          for (const [index, token] of chain.entries()) {
            const { active } = await fleet.service.issuer.introspectToken(token)
            expect(active, `link ${index} of ${chain.length}, ended ${ended}`).toBe(index < ended)
          }
        },
      ),
      { numRuns: 12 },
    )
  } finally {
    await fleet.service.close()
  }
})
