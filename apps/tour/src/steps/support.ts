import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { claimsOf } from '../claims-of.ts'
import type { Fleet } from '../fleet.ts'
import { bearer, get, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { count } from '../report.ts'
import { operatorsApp } from '../support-of-tour.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

/** Somebody asks for help; an operator acts for them, and ends a session of theirs. */
export const support: readonly Step<Fleet>[] = [
  {
    name: 'support acts for who asked',
    async run(fleet) {
      const { addresses, kept } = fleet
      const note = { note: 'My chat does not load.' }
      const asked = await postJson(`${addresses['agent-api']}/support`, note, bearer(kept.userToken))
      expectThat(asked.status === 202, `asking was answered ${asked.status}`)
      const why = 'ticket 4711: chat does not load'
      const operator = bearer(await operatorsToken(fleet))
      const { body } = await get(`${addresses['support-console']}/help`, operator)
      const url = `${addresses['support-console']}/help/${body.requests[0]?.id}/conversations`
      const without = await postJson(url, {}, operator)
      expectThat(without.status === 400, `without a reason ${without.status} came back`)
      const read = await postJson(url, { reason: why }, operator)
      expectThat(read.status === 200, `${read.status} ${JSON.stringify(read.body)} came back`)
      const log = await readFile(join(fleet.dataDir, 'data', 'audit.jsonl'), 'utf8')
      expectThat(log.includes(why), 'the reason is not in the audit log')
      return `${count(read.body.conversations.length, 'conversation')}, by delegation, the reason in the audit log; 400 without one`
    },
  },
  {
    name: 'support ends a stolen session',
    async run(fleet) {
      const { addresses, accounts } = fleet
      const thief = await signIn(fleet, accounts.user, accounts.app.identifier, 'agent-api')
      const agents = () => get(`${addresses['agent-api']}/agents`, bearer(thief))
      expectThat((await agents()).status === 200, 'the token was refused before')
      const operator = bearer(await operatorsToken(fleet))
      const found = await get(`${addresses['support-console']}/sessions?user=${accounts.user.identifier}`, operator)
      const reason = { reason: 'ticket 4712: laptop stolen' }
      // Not the newest: the owner may have signed in within the same second.
      const { sid } = claimsOf(thief)
      const stolen = found.body.sessions.find(({ id }: { readonly id: string }) => id === sid)
      expectThat(stolen !== undefined, 'the session is not among those of the user')
      const revoked = await postJson(`${addresses['support-console']}/sessions/${sid}/revoke`, reason, operator)
      expectThat(revoked.status === 202, `${revoked.status} ${JSON.stringify(revoked.body)} came back`)
      const told = await untilTold(`${addresses['support-console']}/revocations/${revoked.body.id}`, operator)
      const { status } = await agents()
      expectThat(status === 401, `agent-api answers ${status} although it acknowledged`)
      return `401; ${told.consumers} consumers acknowledged, the last after ${told.ms} ms`
    },
  },
]

function operatorsToken(fleet: Fleet): Promise<string> {
  return signIn(fleet, fleet.accounts.operator, operatorsApp, 'support-console')
}

async function signIn(
  { addresses }: Fleet,
  { identifier, secret }: { readonly identifier: string; readonly secret: string },
  app: string,
  audience: string,
): Promise<string> {
  const answer = await postJson(`${addresses.issuer}/auth/sign-in`, { identifier, secret, client_id: app, audience })
  expectThat(answer.status === 200, `signing in as ${identifier} got ${answer.status}`)
  return answer.body.access_token
}

interface Told {
  readonly state: string
  readonly after_ms: number | null
}

async function untilTold(url: string, operator: Record<string, string>): Promise<{ consumers: number; ms: number }> {
  const since = performance.now()
  for (;;) {
    const { body } = await get(url, operator)
    const heard: readonly Told[] = body.consumers.filter(({ state }: Told) => state !== 'silent')
    if (body.complete && heard.length > 0) {
      return { consumers: heard.length, ms: Math.max(...heard.map(({ after_ms }) => after_ms ?? 0)) }
    }
    if (performance.now() - since > patienceMs)
      throw new Surprise(`still waited for: ${JSON.stringify(body.consumers)}`)
    await sleep(20)
  }
}
