import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, connect, type SignedIn, soon, startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

/** What ends a person's session, each in its way. */
const ways: [way: string, end: (session: SignedIn) => Promise<unknown>][] = [
  ['signs out', ({ refreshToken }) => signOut(refreshToken)],
  [
    'is signed out by an operator',
    async ({ token }) => fleet.service.issuer.sessions.revoke(claimsOf(token).sid, { reason: 'test' }),
  ],
  ['changes the password', () => fleet.service.issuer.users.setPassword('ada', 'correct horse battery')],
]

describe('once a person', () => {
  it.each(ways)('%s, their command, task and streams end, and neither server answers them', async (_way, end) => {
    const session = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, session.token)
    const stream = await client.listen({ toolsListChanged: true })
    // Centuries: nothing but the revocation ends it. How soon it does is measured elsewhere, on a quiet machine.
    const mark = `9${Date.now()}`
    const steps = [{ do: 'run', argv: ['sh', '-c', `setsid sleep ${mark} & sleep ${mark}`] }]
    const task = ask(client, 'run_task', { goal: 'wait', steps }).then(
      (report) => report,
      (error: unknown) => error,
    )
    await expect.poll(() => processesWith(mark), soon).toBeGreaterThanOrEqual(2)

    await end(session)
    expect(await stream.closed).toBe('remote')
    await expect.poll(() => processesWith(mark), soon).toBe(0)
    await expect.poll(() => fleet.coder.running(), soon).toBe(0)
    expect(await task).toBeInstanceOf(Error)
    const ended = { msg: 'mcp streams ended', reason: 'revoked', subject: claimsOf(session.token).sub }
    for (const server of ['orchestrator', 'coder'] as const) {
      await expect.poll(() => fleet.lines(server), soon).toContainEqual(expect.objectContaining(ended))
    }
    await expect(client.listTools()).rejects.toThrow()
    await expect(connect(fleet.orchestrator.endpoint, session.token)).rejects.toThrow()
  })

  it('ends one session, what they do by another one goes on', async () => {
    const other = await connect(fleet.orchestrator.endpoint, (await fleet.signIn('mcp-orchestrator')).token)
    const direct = await fleet.signIn('mcp-coder')
    const coder = await connect(fleet.coder.endpoint, direct.token)
    const command = ask(coder, 'run_command', { argv: ['sh', '-c', 'sleep 30'] }).catch((error: unknown) => error)
    await expect.poll(() => fleet.coder.running(), soon).toBe(1)
    await signOut(direct.refreshToken)
    expect(await command).toBeInstanceOf(Error)
    await expect.poll(() => fleet.coder.running(), soon).toBe(0)
    await expect(coder.listTools()).rejects.toThrow()
    const look = { goal: 'look', steps: [{ do: 'list' }] }
    expect(await ask(other, 'run_reading_task', look)).toMatchObject({ state: 'done' })
  })
})

it('nobody exchanges a token that was sent to the orchestrator, but the orchestrator', async () => {
  const { token } = await fleet.signIn('mcp-orchestrator')
  const { client, secret } = await fleet.service.issuer.clients.add({
    name: 'night-shift',
    grants: ['token_exchange'],
    audiences: ['mcp-coder'],
  })
  const refused = await exchange(token, client.id, secret ?? '')
  expect(refused.status).toBe(400)
  expect(await refused.json()).not.toHaveProperty('access_token')
})

it('once the orchestrator’s own account is disabled, it acts for nobody any more', async () => {
  const own = await startTestFleet()
  try {
    const { token } = await own.signIn('mcp-orchestrator')
    const client = await connect(own.orchestrator.endpoint, token)
    const look = { goal: 'look', steps: [{ do: 'list' }] }
    expect(await ask(client, 'run_reading_task', look)).toMatchObject({ state: 'done' })
    await own.service.issuer.clients.disable(own.orchestrator.clientId)
    // The token that it holds for this person is refused as well.
    await expect.poll(async () => (await ask(client, 'run_reading_task', look)).state, soon).toBe('failed')
  } finally {
    await own.close()
  }
})

async function signOut(refreshToken: string): Promise<void> {
  const response = await fetch(`${fleet.issuer}/auth/sign-out`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: refreshToken, client_id: 'agent' }),
  })
  expect(response.ok).toBe(true)
}

function exchange(subjectToken: string, id: string, secret: string): Promise<Response> {
  return fetch(`${fleet.issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'mcp-coder',
    }),
  })
}

function claimsOf(token: string): { readonly sub: string; readonly sid: string } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** How many processes of this machine have these words among their arguments; bubblewrap's and the shell's are not counted. */
function processesWith(words: string): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${words}\0`
      } catch {
        return false
      }
    }).length
}
