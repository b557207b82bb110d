import assert from 'node:assert/strict'
import {
  addAccounts,
  client,
  impossibleText,
  NOW,
  openSession,
  type Test,
  UNTIL,
  unusualText,
  user,
} from './fixtures.ts'

export function describeUsers(test: Test): void {
  test('finds a user by id and by identifier, equal to what was added', async ({ store: { users } }) => {
    const ada = user('ada', { disabledAt: NOW + 1, generation: 7, synthetic: true, scopes: ['agents:read'] })
    assert.equal(await users.add(ada), true)
    assert.deepEqual(await users.byId('ada'), ada)
    assert.deepEqual(await users.byIdentifier('ada@example.com'), ada)
    assert.equal(await users.byId('ada@example.com'), undefined)
    assert.equal(await users.byIdentifier('ada'), undefined)
  })

  test('takes an identifier and an id once', async ({ store: { users } }) => {
    assert.equal(await users.add(user('ada')), true)
    assert.equal(await users.add(user('other', { identifier: 'ada@example.com' })), false)
    assert.equal(await users.add(user('ada', { identifier: 'other@example.com' })), false)
    assert.equal(await users.byId('other'), undefined)
    assert.equal((await users.byId('ada'))?.identifier, 'ada@example.com')
  })

  test('lets exactly one of 50 concurrent additions of one identifier win', async ({ store, another }) => {
    const stores = [store, (await another?.()) ?? store]
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => stores[i % 2]?.users.add(user(`ada-${i}`, { identifier: 'ada' }))),
    )
    assert.equal(outcomes.filter((added) => added === true).length, 1)
    assert.equal((await store.users.byIdentifier('ada'))?.id, `ada-${outcomes.indexOf(true)}`)
  })

  test('keeps text of every script apart and as it is', async ({ store: { users } }) => {
    for (const [i, identifier] of unusualText.entries()) {
      assert.equal(await users.add(user(`user-${i}`, { identifier })), true, identifier)
    }
    for (const [i, identifier] of unusualText.entries()) {
      assert.equal((await users.byIdentifier(identifier))?.id, `user-${i}`)
    }
    assert.equal(await users.byIdentifier('é'), undefined, 'not normalised')
    assert.equal(await users.byIdentifier('КЛЮЧ'), undefined, 'case counts')
  })

  test('refuses text that it cannot hold, rather than storing other text', async ({ store: { users } }) => {
    await users.add(user('replacement', { identifier: '\uFFFD' }))
    for (const identifier of impossibleText) {
      await assert.rejects(users.add(user('ada', { identifier })), `${JSON.stringify(identifier)}`)
      const found = await users.byIdentifier(identifier).catch(() => undefined)
      assert.equal(found, undefined, JSON.stringify(identifier))
    }
    assert.equal(await users.byId('ada'), undefined)
  })

  test('pages in order of code points', async ({ store: { users } }) => {
    // U+FF5E sorts before U+1F511 by code point and after it by UTF-16 unit.
    const ordered = ['B', 'a', 'b', 'ключ', '\uFF5E', '🔑']
    for (const identifier of [...ordered].reverse()) await users.add(user(`id of ${identifier}`, { identifier }))
    const seen: string[] = []
    let after: string | undefined
    for (;;) {
      const page = await users.list({ limit: 4, ...(after === undefined ? {} : { after }) })
      if (page.length === 0) break
      assert.ok(page.length <= 4)
      seen.push(...page.map((one) => one.identifier))
      after = seen.at(-1)
    }
    assert.deepEqual(seen, ordered)
    assert.deepEqual(await users.list({ limit: 0 }), [])
    assert.equal((await users.list({ after: 'aa', limit: 1 }))[0]?.identifier, 'b', 'need not be there')
  })

  test('sets a password: raises the generation and ends every session of the user', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('bob'))
    await openSession(store, 'one')
    await openSession(store, 'two')
    await openSession(store, 'bobs', { userId: 'bob' })
    assert.equal(await store.users.setPassword('ada', 'new hash', NOW + 5, UNTIL), true)
    assert.deepEqual(await store.users.byId('ada'), user('ada', { passwordHash: 'new hash', generation: 1 }))
    for (const id of ['one', 'two']) {
      const ended = await store.sessions.byId(id)
      assert.deepEqual([ended?.endedAt, ended?.endReason], [NOW + 5, 'password_changed'])
    }
    assert.equal((await store.sessions.byId('bobs'))?.endedAt, null)
    assert.equal(await store.users.setPassword('nobody', 'hash', NOW, UNTIL), false)
  })

  test('sets scopes, and ends what was given before', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('bob'))
    await openSession(store, 'one')
    await openSession(store, 'bobs', { userId: 'bob' })
    for (const [turn, scopes] of [['agents:read', 'chat:write'], [], null].entries()) {
      assert.equal(await store.users.setScopes('ada', scopes, NOW + 5, UNTIL), true)
      assert.deepEqual(await store.users.byId('ada'), user('ada', { scopes, generation: turn + 1 }))
    }
    const ended = await store.sessions.byId('one')
    assert.deepEqual([ended?.endedAt, ended?.endReason], [NOW + 5, 'permissions_changed'])
    assert.equal((await store.sessions.byId('bobs'))?.endedAt, null)
    assert.equal(await store.users.setScopes('nobody', null, NOW, UNTIL), false)
  })

  test('replaces the hash of the same password only where it is still the same', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const from = user('ada').passwordHash
    assert.equal(await store.users.rehashPassword('ada', 'another', 'stronger'), false)
    assert.equal(await store.users.rehashPassword('nobody', from, 'stronger'), false)
    assert.equal(await store.users.rehashPassword('ada', from, 'stronger'), true)
    assert.equal(await store.users.rehashPassword('ada', from, 'stronger'), false)
    assert.deepEqual(await store.users.byId('ada'), user('ada', { passwordHash: 'stronger' }))
    assert.equal((await store.sessions.byId('one'))?.endedAt, null)
  })

  test('disables once: raises the generation and ends the sessions', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    await openSession(store, 'over')
    await store.sessions.end('over', 'signed_out', NOW + 1, UNTIL)
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.users.disable('ada', NOW + 5 + i, UNTIL)),
    )
    assert.equal(outcomes.filter(Boolean).length, 1)
    const ada = await store.users.byId('ada')
    assert.equal(ada?.generation, 1)
    assert.equal(ada?.disabledAt, NOW + 5 + outcomes.indexOf(true))
    const ended = await store.sessions.byId('one')
    assert.deepEqual([ended?.endedAt, ended?.endReason], [ada?.disabledAt, 'user_disabled'])
    assert.equal((await store.sessions.byId('over'))?.endReason, 'signed_out', 'the first reason stays')
    assert.equal(await store.users.disable('nobody', NOW, UNTIL), false)
  })
}

export function describeClients(test: Test): void {
  const full = client('etl', {
    name: 'nightly etl 🔑',
    type: 'public',
    firstParty: true,
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api', 'billing-worker'],
    scopes: ['agents:read', 'chat:write'],
    origins: ['https://app.example.com', 'http://127.0.0.1:3000'],
    refreshDelivery: 'cookie',
    secrets: [
      { id: 's1', hash: 'h1', createdAt: NOW, expiresAt: null },
      { id: 's2', hash: 'h2', createdAt: NOW + 1, expiresAt: NOW + 2 },
    ],
    keys: [{ kid: 'k1', x: 'x1', createdAt: NOW, expiresAt: NOW + 2 }],
    generation: 3,
    synthetic: true,
    disabledAt: NOW + 9,
  })

  test('finds a client by id and by name, equal to what was added', async ({ store: { clients } }) => {
    assert.equal(await clients.add(full), true)
    assert.equal(await clients.add(client('plain')), true)
    assert.deepEqual(await clients.byId('etl'), full)
    assert.deepEqual(await clients.byName(full.name), full)
    assert.deepEqual(await clients.byId('plain'), client('plain'), 'null is not an empty list')
    assert.equal(await clients.byId('ETL'), undefined)
    assert.equal(await clients.byName('etl'), undefined)
  })

  test('tells no scopes from all scopes', async ({ store: { clients } }) => {
    await clients.add(client('none', { scopes: [] }))
    await clients.add(client('all', { scopes: null }))
    assert.deepEqual((await clients.byId('none'))?.scopes, [])
    assert.equal((await clients.byId('all'))?.scopes, null)
  })

  test('takes a name and an id once', async ({ store: { clients } }) => {
    assert.equal(await clients.add(client('etl')), true)
    assert.equal(await clients.add(client('etl', { name: 'other' })), false)
    assert.equal(await clients.add(client('other', { name: client('etl').name })), false)
    assert.equal(await clients.byId('other'), undefined)
    assert.deepEqual(await clients.byId('etl'), client('etl'))
  })

  test('pages in order of name', async ({ store: { clients } }) => {
    const names = ['alpha', 'beta', 'gamma', 'ключ', '🔑']
    for (const name of [...names].reverse()) await clients.add(client(`id of ${name}`, { name }))
    const first = await clients.list({ limit: 3 })
    assert.deepEqual(
      first.map((one) => one.name),
      names.slice(0, 3),
    )
    const rest = await clients.list({ after: 'gamma', limit: 1_000 })
    assert.deepEqual(
      rest.map((one) => one.name),
      names.slice(3),
    )
  })

  test('replaces the secrets whole', async ({ store: { clients } }) => {
    await clients.add(full)
    const secrets = Array.from({ length: 20 }, (_, i) => ({ id: `${i}`, hash: `h${i}`, createdAt: i, expiresAt: null }))
    assert.equal(await clients.setSecrets('etl', secrets), true)
    assert.deepEqual(await clients.byId('etl'), { ...full, secrets })
    assert.equal(await clients.setSecrets('etl', []), true)
    assert.deepEqual((await clients.byId('etl'))?.secrets, [])
    assert.equal(await clients.setSecrets('nobody', []), false)
  })

  test('replaces the keys whole', async ({ store: { clients } }) => {
    await clients.add(full)
    const keys = Array.from({ length: 4 }, (_, i) => ({ kid: `${i}`, x: `x${i}`, createdAt: i, expiresAt: null }))
    assert.equal(await clients.setKeys('etl', keys), true)
    assert.deepEqual(await clients.byId('etl'), { ...full, keys })
    assert.equal(await clients.setKeys('nobody', []), false)
  })

  test('disables once: raises the generation and ends the sessions through it', async ({ store }) => {
    await addAccounts(store)
    await store.clients.add(client('phone'))
    await openSession(store, 'one')
    await openSession(store, 'other', { clientId: 'phone' })
    assert.equal(await store.clients.disable('web', NOW + 5, UNTIL), true)
    assert.equal(await store.clients.disable('web', NOW + 6, UNTIL), false)
    assert.equal(await store.clients.disable('nobody', NOW + 6, UNTIL), false)
    assert.deepEqual(await store.clients.byId('web'), client('web', { generation: 1, disabledAt: NOW + 5 }))
    const ended = await store.sessions.byId('one')
    assert.deepEqual([ended?.endedAt, ended?.endReason], [NOW + 5, 'client_disabled'])
    assert.equal((await store.sessions.byId('other'))?.endedAt, null)
  })
}
