import type { Principal } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createRevocationView, type RevocationEntry, type RevokedBy } from '../src/index.ts'
import { jti, NOW, sid } from './support/feed.ts'
import { principal } from './support/principal.ts'
import { empty, events } from './support/replica.ts'

async function viewOf(...entries: RevocationEntry[]) {
  const view = createRevocationView()
  await view.load(await empty())
  view.apply(1, events(0, ...entries))
  return view
}

const client = (id: string, minGeneration: number): RevocationEntry => ({
  type: 'client',
  id,
  minGeneration,
  until: NOW + 600,
})
const subject = (id: string, minGeneration: number): RevocationEntry => ({
  type: 'subject',
  id,
  minGeneration,
  until: NOW + 600,
})
const global = (minGeneration: number): RevocationEntry => ({ type: 'global', minGeneration, until: NOW + 600 })
const acting = { actor: { subject: 'a', clientId: 'orchestrator', actor: { subject: 'gateway' } } }

const resting = { ...acting, via: ['root', 'helper'] }

describe('a principal is revoked', () => {
  const rows: [why: string, entry: RevocationEntry, who: Partial<Principal>, by: RevokedBy | undefined][] = [
    ['by its key', { type: 'kid', id: 'key-1' }, {}, 'kid'],
    ['not by another key', { type: 'kid', id: 'key-2' }, {}, undefined],
    ['by the global generation', global(1), {}, 'global'],
    ['not by a global generation that it has', global(1), { generations: [1, 0, 0] }, undefined],
    ['by the global generation, not saying its own', global(1), { generations: [] }, 'global'],
    ['by its client’s generation', client('web', 4), { generations: [9, 3, 9] }, 'client'],
    ['not by its client’s own generation', client('web', 3), { generations: [0, 3, 0] }, undefined],
    ['not by another client', client('cli', 3), {}, undefined],
    ['by its outer actor’s client', client('orchestrator', 2), { ...acting, generations: [9, 9, 9, 1, 9] }, 'client'],
    [
      'by its inner actor, a client by its subject',
      client('gateway', 2),
      { ...acting, generations: [9, 9, 9, 9, 1] },
      'client',
    ],
    ['not by actors that it has', client('gateway', 2), { ...acting, generations: [0, 0, 0, 0, 2] }, undefined],
    [
      'by an actor whose generation it does not say',
      client('gateway', 1),
      { ...acting, generations: [9, 9, 9, 9] },
      'client',
    ],
    ['by a client that it rests on', client('root', 2), { ...resting, generations: [9, 9, 9, 9, 9, 1, 9] }, 'client'],
    ['by a user that it rests on', subject('helper', 2), { ...resting, generations: [9, 9, 9, 9, 9, 9, 1] }, 'subject'],
    ['by a session that it rests on', sid('helper'), resting, 'sid'],
    ['by a token that it rests on', jti('helper'), resting, 'jti'],
    ['not by those, as they are', client('root', 2), { ...resting, generations: [0, 0, 0, 0, 0, 2, 0] }, undefined],
    ['by those, not saying their generation', subject('helper', 1), { ...resting, generations: [] }, 'subject'],
    ['by its subject’s generation', subject('user_1', 1), {}, 'subject'],
    ['not by a subject named as its client', subject('web', 1), {}, undefined],
    ['not by a client named as its subject', client('user_1', 1), {}, undefined],
    ['by its session', sid('sid-1'), {}, 'sid'],
    ['not by a session, having none', sid('sid-1'), { session: undefined as never }, undefined],
    ['by itself', jti('jti-1'), {}, 'jti'],
    ['not by a session of its name', sid('jti-1'), {}, undefined],
    ['by its farthest ancestor', jti('root'), { ancestors: ['c', 'b', 'a', 'root'] }, 'jti'],
    ['not by a name of Object', jti('toString'), {}, undefined],
  ]
  it.each(rows)('%s', async (_why, entry, who, by) => {
    const view = await viewOf(entry)
    expect(view.check(principal(who))).toBe(by)
    expect(view.isRevoked(principal(who))).toBe(by !== undefined)
  })

  it('for the first reason in order', async () => {
    const reasons: [RevokedBy, RevocationEntry][] = [
      ['kid', { type: 'kid', id: 'key-1' }],
      ['global', global(1)],
      ['client', client('web', 1)],
      ['subject', subject('user_1', 1)],
      ['sid', sid('sid-1')],
      ['jti', jti('jti-1')],
    ]
    for (const index of reasons.keys()) {
      const view = await viewOf(...reasons.slice(index).map(([, entry]) => entry))
      expect(view.check(principal())).toBe(reasons[index]?.[0])
    }
  })
})
