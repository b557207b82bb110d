import assert from 'node:assert/strict'
import type { ExchangeEntry, IssuerStores } from '../ports.ts'
import { addAccounts, client, issued, NOW, openSession, type Test, UNTIL, user } from './fixtures.ts'

/** Of ada's token `session/jti`, through web, by the client `api`. */
const entry = (jti: string, more: Partial<ExchangeEntry> = {}): ExchangeEntry => ({
  issued: issued(jti, { clientId: 'api', audience: 'billing-worker' }),
  tokens: ['session/jti'],
  presented: { subject: 'ada', clientId: 'web' },
  global: 0,
  clients: [
    { id: 'api', generation: 0 },
    { id: 'web', generation: 0 },
  ],
  users: [{ id: 'ada', generation: 0 }],
  ...more,
})

async function prepare(store: IssuerStores): Promise<void> {
  await addAccounts(store)
  await store.clients.add(client('api'))
  await openSession(store, 'session')
}

export function describeExchange(test: Test): void {
  test('stores the token that was made of another, and keeps its session for it', async ({ store }) => {
    await prepare(store)
    assert.equal(await store.issued.exchange(entry('child')), 'stored')
    assert.deepEqual((await store.issued.status('child'))?.issued, entry('child').issued)
    await assert.rejects(store.issued.exchange(entry('child')), 'the jti is taken')
  })

  test('takes five tokens in a row, and tokens of another issuer', async ({ store }) => {
    await prepare(store)
    const chain = ['session/jti', 'a', 'b', 'c']
    for (const [i, jti] of chain.slice(1).entries()) {
      const tokens = chain.slice(0, i + 1).reverse()
      const presented = i === 0 ? { subject: 'ada', clientId: 'web' } : { subject: 'ada', clientId: 'api' }
      assert.equal(await store.issued.exchange(entry(jti, { tokens, presented })), 'stored', jti)
    }
    await store.issued.add(issued('d'))
    const five = { tokens: ['c', 'd', 'b', 'a', 'session/jti'], presented: { subject: 'ada', clientId: 'api' } }
    assert.equal(await store.issued.exchange(entry('fifth', five)), 'stored')
    const foreign = { tokens: [], presented: null, users: [] }
    assert.equal(await store.issued.exchange(entry('foreign', foreign)), 'stored')
    await store.issued.revoke('session/jti', NOW + 1, UNTIL)
    assert.equal(await store.issued.exchange(entry('sixth', five)), 'token_revoked')
  })

  test('stores nothing for a token that is not the one of the row', async ({ store }) => {
    await prepare(store)
    const refused: Partial<ExchangeEntry>[] = [
      { tokens: ['nothing'] },
      { tokens: ['session/jti', 'nothing'] },
      { tokens: [] },
      { presented: { subject: 'bob', clientId: 'web' } },
      { presented: { subject: 'ada', clientId: 'api' } },
    ]
    for (const [i, more] of refused.entries()) {
      assert.equal(await store.issued.exchange(entry(`${i}`, more)), 'unknown_token', JSON.stringify(more))
      assert.equal(await store.issued.status(`${i}`), undefined)
    }
  })

  test('stores nothing once the token, an ancestor or the session has ended', async ({ store }) => {
    await prepare(store)
    await store.issued.exchange(entry('child'))
    const ofChild = { tokens: ['child', 'session/jti'], presented: { subject: 'ada', clientId: 'api' } }
    await store.issued.revoke('session/jti', NOW + 1, UNTIL)
    assert.equal(await store.issued.exchange(entry('again')), 'token_revoked')
    assert.equal(await store.issued.exchange(entry('grandchild', ofChild)), 'token_revoked')
    await openSession(store, 'other')
    const ofOther = { tokens: ['other/jti'], issued: issued('other child', { sessionId: 'other' }) }
    await store.sessions.end('other', 'signed_out', NOW + 1, UNTIL)
    assert.equal(await store.issued.exchange(entry('other child', ofOther)), 'session_ended')
    for (const jti of ['again', 'grandchild', 'other child']) assert.equal(await store.issued.status(jti), undefined)
  })

  test('stores nothing once somebody has ended whom the token rests on', async ({ store }) => {
    await prepare(store)
    await store.users.add(user('operator'))
    const many = ['c1', 'c2', 'c3', 'c4', 'c5']
    for (const id of many) await store.clients.add(client(id))
    const clients = many.map((id) => ({ id, generation: 0 }))
    const users = [
      { id: 'ada', generation: 0 },
      { id: 'operator', generation: 0 },
    ]
    assert.equal(await store.issued.exchange(entry('good', { clients, users })), 'stored')
    const strange = { id: 'x', generation: 9 }
    for (const [i] of clients.entries()) {
      const more = { clients: clients.with(i, strange), users }
      assert.equal(await store.issued.exchange(entry('client', more)), 'party_ended', `client ${i}`)
    }
    for (const [i] of users.entries()) {
      const more = { clients, users: users.with(i, strange) }
      assert.equal(await store.issued.exchange(entry('user', more)), 'party_ended', `user ${i}`)
    }
    await store.clients.disable('c5', NOW, UNTIL)
    assert.equal(await store.issued.exchange(entry('client', { clients, users })), 'party_ended')
    const later = clients.map((one) => (one.id === 'c5' ? { id: 'c5', generation: 1 } : one))
    assert.equal(await store.issued.exchange(entry('disabled', { clients: later, users })), 'party_ended')
    await store.users.setPassword('operator', 'hash', NOW, UNTIL)
    assert.equal(await store.issued.exchange(entry('user', { users })), 'party_ended')
    const again = users.map((one) => (one.id === 'operator' ? { id: 'operator', generation: 1 } : one))
    assert.equal(await store.issued.exchange(entry('renewed', { users: again })), 'stored')
    assert.equal(await store.issued.exchange(entry('nobody', { users: [strange] })), 'party_ended')
    assert.equal(await store.issued.exchange(entry('none', { clients: [strange] })), 'party_ended')
    assert.equal(await store.issued.exchange(entry('global', { global: -1 })), 'party_ended')
    for (const jti of ['client', 'disabled', 'user', 'nobody', 'none', 'global']) {
      assert.equal(await store.issued.status(jti), undefined, jti)
    }
  })
}

export function describeForeign(test: Test): void {
  const person = { id: 'clerk:user_1', generation: 100 }
  const session = { id: 'clerk:sess_1', generation: 0 }
  const organization = { id: 'clerk:org_1', generation: 100 }
  const foreign = [person, session, organization]
  const of = (jti: string, parties = foreign) =>
    entry(jti, { tokens: [], presented: null, users: [], foreign: parties })

  test('stores nothing once another issuer told of an end of whom it named', async ({ store }) => {
    await prepare(store)
    assert.equal(await store.issued.foreignEnd(foreign), undefined)
    assert.equal(await store.issued.exchange(of('good')), 'stored')
    await store.revocations.append([{ type: 'subject', id: person.id, minGeneration: 100, until: UNTIL }], NOW)
    assert.equal(await store.issued.foreignEnd(foreign), undefined, 'issued since')
    for (const [i, { id }] of [person, organization].entries()) {
      const later = 200 + i
      await store.revocations.append([{ type: 'subject', id, minGeneration: later, until: UNTIL }], NOW)
      assert.equal(await store.issued.foreignEnd(foreign), 'party_ended', id)
      const since = foreign.map((one) => (one === session ? one : { ...one, generation: later }))
      assert.equal(await store.issued.exchange(of(`before ${i}`)), 'party_ended')
      assert.equal(await store.issued.exchange(of(`since ${i}`, since)), 'stored')
      assert.equal(await store.issued.status(`before ${i}`), undefined)
    }
    // An earlier instant that is told later takes nothing back.
    await store.revocations.append([{ type: 'subject', id: person.id, minGeneration: 50, until: UNTIL }], NOW)
    assert.equal(await store.issued.foreignEnd([person]), 'party_ended')
    await store.revocations.append([{ type: 'sid', id: session.id, until: UNTIL }], NOW)
    assert.equal(await store.issued.foreignEnd([session]), 'session_ended')
    assert.equal(await store.issued.exchange(of('session', [session])), 'session_ended')
    assert.equal(await store.issued.foreignEnd([{ id: 'clerk:user_2', generation: 0 }]), undefined)
  })

  test('stores nothing made of a token of ours, either', async ({ store }) => {
    await prepare(store)
    await store.revocations.append([{ type: 'sid', id: session.id, until: UNTIL }], NOW)
    assert.equal(await store.issued.exchange(entry('child', { foreign: [session] })), 'session_ended')
  })
}

export function describeAssertions(test: Test): void {
  test('lets exactly one of 50 concurrent uses of one assertion pass', async ({ store, another }) => {
    const stores = [store, (await another?.()) ?? store]
    const uses = Array.from({ length: 50 }, (_, i) => stores[i % 2]?.assertions.use('one', NOW + 300))
    assert.equal((await Promise.all(uses)).filter((used) => used === true).length, 1)
    assert.equal(await store.assertions.use('other', NOW + 300), true)
  })

  test('forgets assertions whose time is over, at most so many a call', async ({ store: { assertions } }) => {
    for (let i = 0; i < 10; i++) await assertions.use(`${i}`, NOW + i)
    assert.equal(await assertions.forget(NOW - 1, 100), 0)
    assert.equal(await assertions.forget(NOW + 5, 0), 0)
    assert.equal(await assertions.forget(NOW + 5, 4), 4)
    assert.equal(await assertions.forget(NOW + 5, 4), 2)
    assert.equal(await assertions.use('6', NOW + 9), false, 'still remembered')
    assert.equal(await assertions.use('5', NOW + 9), true)
  })
}
