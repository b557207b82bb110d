import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from '../fleet.ts'
import { basic, bearer, get, postForm, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step } from '../walk.ts'

/** The fleet looks at itself, as users and services would. */
export const monitor: readonly Step<Fleet>[] = [
  {
    name: 'a probe walks through the fleet',
    async run({ addresses, monitor: { account } }) {
      const form = { grant_type: 'client_credentials', audience: 'synthetic-monitor', scope: 'probes:read probes:run' }
      const granted = await postForm(`${addresses.issuer}/oauth/token`, form, basic(account.id, account.secret))
      expectThat(granted.status === 200, `the token service answered ${granted.status}`)
      const token = bearer(granted.body.access_token)
      const begun = await postJson(`${addresses['synthetic-monitor']}/probes`, {}, token)
      expectThat(begun.status === 202, `the monitor answered ${begun.status}`)
      const url = new URL(begun.headers.get('location') ?? '', addresses['synthetic-monitor']).href
      const since = performance.now()
      let result = await get(url, token)
      while (result.body.state === 'running' && performance.now() - since < patienceMs) {
        await sleep(20)
        result = await get(url, token)
      }
      const { ok, failure, phases, revocation_ms: ms } = result.body
      expectThat(ok === true, `${result.status} ${failure?.phase}: ${failure?.message}`)
      const delay = Math.max(ms.feed, ms.http, ms.exchanged, ms.websocket)
      return `${phases.length} phases, no side effect; what it revoked was refused everywhere ${delay.toFixed(0)} ms later`
    },
  },
]
