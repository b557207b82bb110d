import { setTimeout as sleep } from 'node:timers/promises'
import { createTokenSource } from '@countersign/token-source'
import { openReportStore, runEtl } from '@countersign-apps/analytics-service'
import type { Fleet } from '../fleet.ts'
import { basic, bearer, get, postForm, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { count } from '../report.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

/** What runs without anybody before a screen: a batch, and a job in a customer's name. */
export const workers: readonly Step<Fleet>[] = [
  {
    name: 'a batch job loads reports',
    async run({ addresses, accounts, workers: { analyticsDatabase, etl } }) {
      const source = createTokenSource({
        issuer: addresses.issuer,
        client: etl,
        grant: { type: 'client_credentials', audience: 'agent-api', scope: 'usage:read' },
      })
      const store = openReportStore(analyticsDatabase)
      try {
        const { rows } = await runEtl({ agentApi: addresses['agent-api'], source, store })
        expectThat(rows > 0, 'nothing was loaded')
        const again = await runEtl({ agentApi: addresses['agent-api'], source, store })
        expectThat(again.rows === 0, `${again.rows} rows were loaded twice`)
        const token = await ownToken(addresses.issuer, accounts.service, 'analytics-service')
        const { status, body } = await get(`${addresses['analytics-service']}/reports`, bearer(token))
        expectThat(status === 200 && body.reports.length > 0, `the reports answered ${status}`)
        return `${count(rows, 'row')} through agent-api's pages, none twice; ${count(body.reports.length, 'agent')} in the reports`
      } finally {
        source.close()
        store.close()
      }
    },
  },
  {
    name: 'a customer checks out',
    async run({ addresses, kept, workers: { billing, charges } }) {
      const order = { order: 'order-1', plan: 'team' }
      const bought = await postJson(`${addresses['agent-api']}/checkout`, order, bearer(kept.userToken))
      expectThat(bought.status === 202, `${bought.status} ${JSON.stringify(bought.body.error)} came back`)
      const token = await ownToken(
        addresses.issuer,
        { identifier: billing.id, secret: billing.secret },
        'billing-worker',
      )
      const ms = await untilSettled(`${addresses['billing-worker']}/jobs/${bought.body.job}`, token)
      const again = await postJson(`${addresses['agent-api']}/checkout`, order, bearer(kept.userToken))
      expectThat(again.body.job === bought.body.job && charges() === 1, `${charges()} charges were made`)
      return `202; charged in the customer's name and settled by a signed webhook ${ms.toFixed(0)} ms later, once`
    },
  },
]

async function ownToken(
  issuer: string,
  account: { readonly identifier: string; readonly secret: string },
  audience: string,
): Promise<string> {
  const form = { grant_type: 'client_credentials', audience }
  const answer = await postForm(`${issuer}/oauth/token`, form, basic(account.identifier, account.secret))
  expectThat(answer.status === 200, `the token service answered ${answer.status}`)
  return answer.body.access_token
}

async function untilSettled(url: string, token: string): Promise<number> {
  const since = performance.now()
  for (;;) {
    const { body } = await get(url, bearer(token))
    const ms = performance.now() - since
    if (body.state === 'settled') return ms
    if (ms > patienceMs) throw new Surprise(`the job is ${JSON.stringify(body)} after ${ms.toFixed(0)} ms`)
    await sleep(20)
  }
}
