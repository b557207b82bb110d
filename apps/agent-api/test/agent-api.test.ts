import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeToken, startApi, type World } from './fixtures.ts'

let api: World
beforeEach(async () => {
  api = await startApi({ clock: { now: () => 1_800_000_000.5 } })
})
afterEach(() => api.close())

const ada = makeToken()
const bob = makeToken({ sub: 'bob' })

describe('whoami', () => {
  it('says whom the token speaks for', async () => {
    const { body } = await api.call('GET', '/whoami', {
      token: makeToken({ sid: 's1', scope: 'tools:read', act: { sub: 'helper' } }),
    })
    expect(body).toMatchObject({
      issuer: 'https://auth.example.com',
      subject: 'ada',
      client_id: 'web',
      audience: 'agent-api',
      scopes: ['tools:read'],
      session: 's1',
      actor: { subject: 'helper' },
    })
  })
})

describe('agents', () => {
  it('are the built-in ones, and those of one’s own', async () => {
    const made = await api.call('POST', '/agents', {
      token: ada,
      body: { name: ' Guide ', description: 'Shows around.' },
    })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ name: 'Guide', description: 'Shows around.' })
    expect(made.headers.get('location')).toBe(`/agents/${made.body.id}`)
    const names = async (token: string) =>
      ((await api.call('GET', '/agents', { token })).body.agents as { name: string }[]).map(({ name }) => name)
    expect(await names(ada)).toEqual(['Concierge', 'Archivist', 'Guide'])
    expect(await names(bob)).toEqual(['Concierge', 'Archivist'])
    expect((await api.call('GET', `/agents/${made.body.id}`, { token: bob })).status).toBe(404)
    const chat = await api.call('POST', '/chat', { token: bob, body: { message: 'x', agent: made.body.id } })
    expect(chat.status).toBe(404)
  })

  it('end at 20 of one’s own', async () => {
    for (let index = 0; index < 20; index += 1) {
      expect((await api.call('POST', '/agents', { token: ada, body: { name: `a${index}` } })).status).toBe(201)
    }
    const more = await api.call('POST', '/agents', { token: ada, body: { name: 'more' } })
    expect([more.status, more.body.error]).toEqual([409, 'limit_reached'])
    expect((await api.call('POST', '/agents', { token: bob, body: { name: 'b' } })).status).toBe(201)
  })
})

describe('chat', () => {
  const say = (token: string, body: object) => api.call('POST', '/chat', { token, body })

  it('is answered by the local responder, the same way each time, and says so', async () => {
    const [one, two] = [
      await say(ada, { message: 'What is a countersign?' }),
      await say(bob, { message: 'What is a countersign?' }),
    ]
    expect(one.status).toBe(201)
    expect(one.body.reply).toBe('Concierge (local-responder, no model) heard 4 words in turn 1: What is a countersign?')
    expect(one.body.answered_by).toBe('local-responder')
    expect(two.body.reply).toBe(one.body.reply)
  })

  it('goes on in its conversation, with its agent', async () => {
    const { body } = await say(ada, { message: 'hello', agent: 'archivist' })
    const { conversation } = body
    const next = await say(ada, { message: 'again', conversation })
    expect([next.status, next.body.reply]).toEqual([
      200,
      'Archivist (local-responder, no model) heard 1 word in turn 2: again',
    ])
    expect((await say(ada, { message: 'x', conversation, agent: 'concierge' })).status).toBe(400)
    const whole = await api.call('GET', `/conversations/${conversation}`, { token: ada })
    expect(whole.body).toMatchObject({ id: conversation, agent: 'archivist', started_at: 1_800_000_000 })
    expect((whole.body.messages as object[]).length).toBe(4)
    expect((whole.body.messages as object[])[0]).toEqual({ from: 'user', text: 'hello', at: 1_800_000_000 })
    const list = await api.call('GET', '/conversations', { token: ada })
    expect(list.body.conversations).toEqual([
      { id: conversation, agent: 'archivist', started_at: 1_800_000_000, messages: 4 },
    ])
  })

  it('ends when the conversation is full, without losing anything', async () => {
    const message = 'x'.repeat(2000)
    const { conversation } = (await say(ada, { message })).body
    let answer = await say(ada, { message, conversation })
    for (let index = 0; index < 50 && answer.status === 200; index += 1)
      answer = await say(ada, { message, conversation })
    expect([answer.status, answer.body.error]).toEqual([409, 'limit_reached'])
    expect((await api.call('GET', `/conversations/${conversation}`, { token: ada })).status).toBe(200)
  })

  it('begins no more than 20 conversations, until one is deleted', async () => {
    let last: unknown
    for (let index = 0; index < 20; index += 1) last = (await say(ada, { message: 'x' })).body.conversation
    expect((await say(ada, { message: 'x' })).status).toBe(409)
    expect((await api.call('DELETE', `/conversations/${last}`, { token: ada })).status).toBe(204)
    expect((await say(ada, { message: 'x' })).status).toBe(201)
  })
})

describe('conversations', () => {
  it('do not exist for anybody else: not to read, to go on with, or to delete', async () => {
    const { conversation } = (await api.call('POST', '/chat', { token: ada, body: { message: 'secret' } })).body
    const strangers = [bob, makeToken({ sub: 'ada2', client_id: 'ada' })]
    for (const token of strangers) {
      expect((await api.call('GET', '/conversations', { token })).body.conversations).toEqual([])
      expect((await api.call('GET', `/conversations/${conversation}`, { token })).status).toBe(404)
      expect((await api.call('DELETE', `/conversations/${conversation}`, { token })).status).toBe(404)
      expect((await api.call('POST', '/chat', { token, body: { message: 'x', conversation } })).status).toBe(404)
    }
    expect((await api.call('GET', `/conversations/${conversation}`, { token: ada })).status).toBe(200)
  })

  it('are the same for every client of the same person', async () => {
    const { conversation } = (await api.call('POST', '/chat', { token: ada, body: { message: 'x' } })).body
    const other = makeToken({ client_id: 'cli' })
    expect((await api.call('GET', `/conversations/${conversation}`, { token: other })).status).toBe(200)
  })
})

describe('tools', () => {
  it('are listed with what they take', async () => {
    const { body } = await api.call('GET', '/tools', { token: ada })
    const tools = body.tools as { name: string; input: { type: string } }[]
    expect(tools.map(({ name }) => name)).toEqual(['count-words', 'sha-256', 'sum'])
    expect(tools.every(({ input }) => input.type === 'object')).toBe(true)
  })

  it.each([
    ['count-words', { text: 'one two  three' }, { words: 3, characters: 14 }],
    ['count-words', { text: ' ' }, { words: 0, characters: 1 }],
    ['sha-256', { text: '' }, { hash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }],
    ['sum', { numbers: [1, 2.5, -3] }, { sum: 0.5 }],
  ])('%s computes', async (name, body, result) => {
    expect((await api.call('POST', `/tools/${name}`, { token: ada, body })).body).toEqual({ result })
  })
})

describe('bad requests', () => {
  const bad: [what: string, method: string, path: string, init: RequestInit, status: number, error: string][] = [
    ['a body that is not JSON', 'POST', '/chat', { body: '{' }, 400, 'invalid_request'],
    ['JSON that is no object', 'POST', '/chat', { body: '"x"' }, 400, 'invalid_request'],
    ['an empty body', 'POST', '/chat', {}, 400, 'invalid_request'],
    [
      'a form',
      'POST',
      '/chat',
      { body: 'message=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_media_type',
    ],
    [
      'an unknown charset',
      'POST',
      '/chat',
      { body: '{}', headers: { 'content-type': 'application/json; charset=x' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a compressed body',
      'POST',
      '/chat',
      { body: gzipSync('{"message":"x"}'), headers: { 'content-encoding': 'gzip' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a body above 16 KiB',
      'POST',
      '/chat',
      { body: JSON.stringify({ message: 'x'.repeat(20_000) }) },
      413,
      'too_large',
    ],
    ['an empty message', 'POST', '/chat', { body: '{"message":" "}' }, 400, 'invalid_request'],
    [
      'a message above 2,000 characters',
      'POST',
      '/chat',
      { body: JSON.stringify({ message: 'x'.repeat(2001) }) },
      400,
      'invalid_request',
    ],
    ['a member that is not known', 'POST', '/chat', { body: '{"message":"x","needle":1}' }, 400, 'invalid_request'],
    ['an identity in the body', 'POST', '/chat', { body: '{"message":"x","subject":"bob"}' }, 400, 'invalid_request'],
    [
      'a conversation that is not there',
      'POST',
      '/chat',
      { body: '{"message":"x","conversation":"nope"}' },
      404,
      'not_found',
    ],
    ['an agent that is not there', 'POST', '/chat', { body: '{"message":"x","agent":"__proto__"}' }, 404, 'not_found'],
    [
      'a name above 80 characters',
      'POST',
      '/agents',
      { body: JSON.stringify({ name: 'x'.repeat(81) }) },
      400,
      'invalid_request',
    ],
    ['a tool that is not there', 'POST', '/tools/constructor', { body: '{}' }, 404, 'not_found'],
    ['the wrong input of a tool', 'POST', '/tools/sum', { body: '{"numbers":["1"]}' }, 400, 'invalid_request'],
    ['a path that is not there', 'GET', '/needle', {}, 404, 'not_found'],
    ['a path that cannot be decoded', 'GET', '/agents/%E0%A4%A', {}, 404, 'not_found'],
    ['a method that is not there', 'PUT', '/agents', { body: '{}' }, 404, 'not_found'],
  ]
  it.each(bad)('%s', async (_what, method, path, init, status, error) => {
    const headers = { authorization: `Bearer ${ada}`, 'content-type': 'application/json', ...init.headers }
    const answer = await api.call(method, path, { raw: { method, ...init, headers } })
    expect([answer.status, answer.body.error]).toEqual([status, error])
    expect(JSON.stringify(answer.body)).not.toContain('needle')
    expect(api.faults).toEqual([])
  })

  it('reads no body before the token', async () => {
    const answer = await api.call('POST', '/chat', {
      raw: { body: '{', headers: { 'content-type': 'application/json' } },
    })
    expect(answer.status).toBe(401)
  })
})

it('answers a fault with 500, tells its operator, and tells the caller nothing', async () => {
  const broken = await startApi({
    clock: {
      now: () => {
        throw new Error('the clock fell off the wall')
      },
    },
  })
  try {
    const answer = await broken.call('POST', '/chat', { token: ada, body: { message: 'x' } })
    expect(answer.status).toBe(500)
    expect(answer.body).toEqual({ error: 'server_error', error_description: 'The request could not be answered.' })
    expect(broken.faults).toEqual([new Error('the clock fell off the wall')])
  } finally {
    await broken.close()
  }
})

it('says what it is to anybody', async () => {
  const { status, body } = await api.call('GET', '/.well-known/oauth-protected-resource')
  expect(status).toBe(200)
  expect(body).toMatchObject({ resource: 'http://127.0.0.1:4610', authorization_servers: ['https://auth.example.com'] })
  expect((await api.call('GET', '/healthz')).body).toEqual({ status: 'ok' })
})
