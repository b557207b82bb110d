import { createServer } from 'node:http'
import type { WebhookEvent } from '@clerk/backend/webhooks'
import { testClock } from '@countersign-tooling/clock'
import { describe, expect, it } from 'vitest'
import { type ClerkWebhooks, clerkWebhooks, memoryWebhookLedger, type WebhookLedger } from '../src/server/index.ts'
import { createWebhookSecret, type WebhookInput, webhookRequest } from '../src/testing/clerk/webhook-request.ts'
import { atEnd, clerkWorld } from './clerk-world.ts'

const secret = createWebhookSecret()
const url = 'https://app.example.com/clerk'
const now = () => Date.now() / 1000

function delivery(input: Partial<WebhookInput> = {}, signedWith = secret): Request {
  return webhookRequest(url, signedWith, { type: 'user.updated', data: { id: 'user_1' }, ...input }, now())
}

function hooks(ledger: WebhookLedger = memoryWebhookLedger()): ClerkWebhooks {
  return clerkWebhooks({ signingSecrets: [secret], ledger })
}

describe('an event', () => {
  it('is handled once of 20 attempts at once', async () => {
    const webhooks = hooks()
    let handled = 0
    const attempts = Array.from({ length: 20 }, () =>
      webhooks.receive(delivery({ id: 'msg_1' }), async () => {
        handled += 1
        await new Promise((resolve) => setImmediate(resolve))
      }),
    )
    const standings = (await Promise.all(attempts)).map(({ standing }) => standing)
    expect(handled).toBe(1)
    expect(standings.filter((one) => one === 'repeated')).toHaveLength(19)
  })

  it('whose handler failed is handled at the next attempt', async () => {
    const webhooks = hooks()
    const failing = webhooks.receive(delivery({ id: 'msg_1' }), () => Promise.reject(new Error('database')))
    await expect(failing).rejects.toThrow('database')
    expect((await webhooks.receive(delivery({ id: 'msg_1' }), () => {})).standing).toBe('new')
  })

  it('that another process is handling, which may fail, is not answered as if it were done', async () => {
    const busy = new Set<string>()
    const done = new Set<string>()
    const shared: WebhookLedger = {
      async begin({ id }) {
        if (done.has(id)) return 'repeated'
        if (busy.has(id)) return 'busy'
        busy.add(id)
        return 'new'
      },
      finish: async ({ id }) => void (busy.delete(id) && done.add(id)),
      forget: async ({ id }) => void busy.delete(id),
    }
    const [first, second] = [hooks(shared), hooks(shared)]
    let fail = (_error: Error) => {}
    const held = new Promise<void>((_resolve, reject) => {
      fail = reject
    })
    const failing = first.respond(delivery({ id: 'msg_1' }), () => held)
    await expect.poll(() => busy.size).toBe(1)
    expect((await second.respond(delivery({ id: 'msg_1' }), () => {})).status).toBe(503)
    fail(new Error('database'))
    expect((await failing).status).toBe(500)
    expect((await second.respond(delivery({ id: 'msg_1' }), () => {})).status).toBe(204)
    expect((await first.receive(delivery({ id: 'msg_1' }), () => {})).standing).toBe('repeated')
  })

  it('whose handler and ledger failed tells of the handler', async () => {
    const ledger: WebhookLedger = { begin: async () => 'new', forget: () => Promise.reject(new Error('ledger')) }
    const failing = hooks(ledger).receive(delivery(), () => Promise.reject(new Error('database')))
    await expect(failing).rejects.toThrow('database')
  })

  it('whose handler failed makes no earlier one late', async () => {
    const webhooks = hooks()
    const failing = () => Promise.reject(new Error('database'))
    await expect(webhooks.receive(delivery({ id: 'msg_2', happenedAtMs: 2_000 }), failing)).rejects.toThrow('database')
    expect((await webhooks.receive(delivery({ id: 'msg_1', happenedAtMs: 1_000 }), () => {})).standing).toBe('new')
    await expect(webhooks.receive(delivery({ id: 'msg_2', happenedAtMs: 2_000 }), failing)).rejects.toThrow('database')
    expect((await webhooks.receive(delivery({ id: 'msg_0', happenedAtMs: 500 }), () => {})).standing).toBe('late')
  })

  it('of another instance is refused where one was named, whoever signed it', async () => {
    const named = clerkWebhooks({ signingSecrets: [secret], ledger: memoryWebhookLedger(), instance: 'ins_ours' })
    const of = (instance: string) => delivery({ instance })
    expect((await named.receive(of('ins_ours'), () => {})).standing).toBe('new')
    for (const instance of ['ins_theirs', '', 'INS_OURS']) {
      await expect(named.receive(of(instance), () => {})).rejects.toMatchObject({ code: 'bad_webhook' })
    }
    expect((await hooks().receive(of('ins_theirs'), () => {})).standing).toBe('new')
  })

  it('about something without an id is put in order with nothing', async () => {
    const webhooks = hooks()
    for (const happenedAtMs of [2_000, 1_000]) {
      const one = delivery({ type: 'session.created', data: {}, happenedAtMs })
      expect((await webhooks.receive(one, () => {})).standing).toBe('new')
    }
  })

  it('that comes after a later one about the same object is not handled', async () => {
    const webhooks = hooks()
    const roles: string[] = []
    const receive = async (happenedAtMs: number, role: string, type: WebhookInput['type'], member = 'orgmem_1') => {
      const data = { id: member, role, organization: { id: 'org_1' }, public_user_data: { user_id: 'user_1' } }
      const { standing } = await webhooks.receive(delivery({ type, data, happenedAtMs }), () => void roles.push(role))
      return standing
    }
    expect(await receive(2_000, 'org:member', 'organizationMembership.updated')).toBe('new')
    expect(await receive(1_000, 'org:admin', 'organizationMembership.created')).toBe('late')
    expect(await receive(2_000, 'org:viewer', 'organizationMembership.updated')).toBe('new')
    expect(await receive(4_000, 'org:owner', 'organizationMembership.created', 'orgmem_2')).toBe('new')
    expect(await receive(3_000, '', 'organizationMembership.deleted')).toBe('late')
    expect(roles).toEqual(['org:member', 'org:viewer', 'org:owner'])
  })

  it('is never written over by an earlier one that is still being handled', async () => {
    const webhooks = hooks()
    let role = ''
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const first = webhooks.receive(delivery({ happenedAtMs: 1_000 }), async () => {
      await held
      role = 'old'
    })
    const second = webhooks.receive(delivery({ happenedAtMs: 2_000 }), () => {
      role = 'new'
    })
    const other = await webhooks.receive(delivery({ data: { id: 'user_2' } }), () => {})
    expect(other.standing).toBe('new')
    release()
    await Promise.all([first, second])
    expect(role).toBe('new')
  })
})

it('ids are kept for as long as was said, objects for as long as there is room', async () => {
  const clock = testClock()
  const ledger = memoryWebhookLedger({ clock })
  const one = { id: 'msg_1', object: 'user:1', happenedAtMs: 5, keepUntil: clock.now() + 86_400 }
  expect(await ledger.begin(one)).toBe('new')
  await clock.pass(86_399)
  expect(await ledger.begin(one)).toBe('repeated')
  await clock.pass(1)
  expect(await ledger.begin(one)).toBe('new')
  const later = { ...one, id: 'msg_2', keepUntil: clock.now() + 86_400 }
  expect(await ledger.begin({ ...later, happenedAtMs: 4 })).toBe('late')
  expect(await ledger.begin({ ...later, happenedAtMs: 9 })).toBe('repeated')
})

it('forgetting one takes back nothing of a later one', async () => {
  const ledger = memoryWebhookLedger()
  const at = (id: string, happenedAtMs: number) => ({ id, object: 'user:1', happenedAtMs, keepUntil: now() + 86_400 })
  expect(await ledger.begin(at('msg_1', 1_000))).toBe('new')
  expect(await ledger.begin(at('msg_2', 2_000))).toBe('new')
  expect(await ledger.begin(at('msg_3', 3_000))).toBe('new')
  await ledger.forget(at('msg_2', 2_000))
  expect(await ledger.begin(at('msg_4', 2_500))).toBe('late')
  await ledger.forget(at('msg_3', 3_000))
  expect(await ledger.begin(at('msg_5', 2_500))).toBe('new')
})

it('memory is bounded', async () => {
  const ledger = memoryWebhookLedger()
  const keepUntil = now() + 86_400
  for (let at = 0; at <= 100_000; at++) {
    await ledger.begin({ id: `msg_${at}`, object: `user:${at}`, happenedAtMs: 5, keepUntil })
  }
  expect(await ledger.begin({ id: 'msg_0', object: 'user:0', happenedAtMs: 1, keepUntil })).toBe('new')
  expect(await ledger.begin({ id: 'msg_100000', object: 'user:1', happenedAtMs: 1, keepUntil })).toBe('repeated')
})

describe('refused as bad_webhook', () => {
  const changed = (headers: Record<string, string>, body = '{}') => {
    const { headers: signed } = delivery()
    const all = new Headers(signed)
    for (const [name, value] of Object.entries(headers)) all.set(name, value)
    return new Request(url, { method: 'POST', headers: all, body })
  }
  const rows: [why: string, request: () => Request][] = [
    ['signed with another secret', () => delivery({}, createWebhookSecret())],
    ['another body', () => changed({})],
    ['another id', () => changed({ 'svix-id': 'msg_other' })],
    ['no signature', () => changed({ 'svix-signature': '' })],
    ['a signature of another scheme', () => changed({ 'svix-signature': 'v2,AAAA' })],
    ['no time', () => changed({ 'svix-timestamp': '' })],
    ['6 minutes old', () => delivery({ sentAt: Math.floor(now()) - 360 })],
    ['6 minutes ahead', () => delivery({ sentAt: Math.floor(now()) + 360 })],
    ['signed, but without a time of the event', () => delivery({ happenedAtMs: Number.NaN })],
    ['signed, but without data', () => delivery({ data: [] as never })],
    ['signed, but without a type', () => delivery({ type: '' as never })],
    ['a GET', () => new Request(url, { headers: delivery().headers })],
    ['without a body', () => new Request(url, { method: 'POST', headers: delivery().headers })],
    ['300,000 bytes', () => changed({}, 'a'.repeat(300_000))],
    ['300,000 bytes, signed', () => delivery({ data: { id: 'user_1', more: 'a'.repeat(300_000) } })],
    ['a PUT, signed', () => new Request(delivery(), { method: 'PUT' })],
  ]
  it.each(rows)('%s', async (_why, request) => {
    let handled = false
    const receiving = hooks().receive(request(), () => {
      handled = true
    })
    await expect(receiving).rejects.toMatchObject({ name: 'AuthError', code: 'bad_webhook' })
    expect(handled).toBe(false)
  })

  it('a body without end, of which no more is read than it may have', async () => {
    let read = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 65_536
        controller.enqueue(new Uint8Array(65_536))
        if (read >= 16_777_216) controller.close()
      },
    })
    const request = new Request(url, { method: 'POST', headers: delivery().headers, body, duplex: 'half' } as never)
    await expect(hooks().receive(request, () => {})).rejects.toMatchObject({ code: 'bad_webhook' })
    expect(read).toBeLessThan(1_048_576)
  })

  it('a body that is not UTF-8', async () => {
    const request = new Request(url, {
      method: 'POST',
      headers: delivery().headers,
      body: new Uint8Array([0xff, 0xfe]),
    })
    await expect(hooks().receive(request, () => {})).rejects.toMatchObject({ code: 'bad_webhook' })
  })
})

it('two secrets are accepted while one replaces the other', async () => {
  const next = createWebhookSecret()
  const webhooks = clerkWebhooks({ signingSecrets: [next, secret], ledger: memoryWebhookLedger() })
  expect((await webhooks.receive(delivery(), () => {})).standing).toBe('new')
  expect((await webhooks.receive(delivery({}, next), () => {})).standing).toBe('new')
})

it.each([
  ['no secret', []],
  ['an empty secret', ['']],
  ['a secret without its prefix', ['c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0']],
  ['five secrets', Array.from({ length: 5 }, createWebhookSecret)],
])('is not made with %s, and the message does not quote it', (_why, signingSecrets) => {
  const make = () => clerkWebhooks({ signingSecrets, ledger: memoryWebhookLedger() })
  expect(make).toThrow(expect.objectContaining({ code: 'bad_option' }))
  expect(make).toThrow(expect.objectContaining({ message: expect.not.stringContaining('c2VjcmV0') }))
})

it('answers 204, 400 and 500 with nothing in them', async () => {
  const webhooks = hooks()
  const statuses: number[] = []
  const respond = async (request: Request, handle: (event: WebhookEvent) => Promise<void> | void) => {
    const response = await webhooks.respond(request, handle)
    statuses.push(response.status)
    expect(await response.text()).toBe('')
  }
  await respond(delivery(), () => {})
  await respond(delivery({}, createWebhookSecret()), () => {})
  await respond(delivery(), () => {
    throw new Error('database')
  })
  expect(statuses).toEqual([204, 400, 500])
})

it('changes at Clerk arrive over HTTP, signed, and a role is known in order', async () => {
  const { clerk, client, userId, organizationId } = await clerkWorld()
  const webhooks = clerkWebhooks({ signingSecrets: [clerk.webhookSecret], ledger: memoryWebhookLedger() })
  const seen: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      const headers = new Headers(
        Object.entries(request.headersDistinct).map(([name, [value = ''] = []]) => [name, value]),
      )
      const delivered = new Request(url, { method: 'POST', headers, body: Buffer.concat(chunks) })
      const { status } = await webhooks.respond(delivered, (event) => {
        const role =
          event.type.startsWith('organizationMembership.') && 'role' in event.data ? ` ${event.data.role}` : ''
        seen.push(`${event.type}${role}`)
      })
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => server.close())
  const { port } = server.address() as { port: number }
  const stop = clerk.subscribe(`http://127.0.0.1:${port}/`)
  await client.organizations.updateOrganizationMembership({ organizationId, userId, role: 'org:member' })
  await clerk.delivered()
  await client.organizations.deleteOrganizationMembership({ organizationId, userId })
  await clerk.delivered()
  stop()
  await client.users.deleteUser(userId)
  await clerk.delivered()
  expect(seen).toEqual(['organizationMembership.updated org:member', 'organizationMembership.deleted org:member'])
})
