import type { Fleet } from '../fleet.ts'
import { basic, bearer, get, postForm, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step } from '../walk.ts'

/** A service account gets its own token, is held to its scopes, and its token can be taken back. */
export const services: readonly Step<Fleet>[] = [
  {
    name: 'a service gets its own token',
    async run({ addresses, accounts, kept }) {
      const answer = await postForm(
        `${addresses.issuer}/oauth/token`,
        { grant_type: 'client_credentials', audience: 'agent-api', scope: 'agents:read' },
        basic(accounts.service.identifier, accounts.service.secret),
      )
      expectThat(answer.status === 200, `${answer.status} ${JSON.stringify(answer.body.error)} came back`)
      kept.serviceToken = answer.body.access_token
      const call = await get(`${addresses['agent-api']}/agents`, bearer(kept.serviceToken))
      expectThat(call.status === 200, `the agent API answered ${call.status}`)
      return `200, scope "${answer.body.scope}", and 200 at the agent API`
    },
  },
  {
    name: 'its scope ends where it ends',
    async run({ addresses, kept }) {
      const answer = await postJson(`${addresses['agent-api']}/chat`, { message: 'hello' }, bearer(kept.serviceToken))
      const challenge = answer.headers.get('www-authenticate') ?? ''
      expectThat(answer.status === 403 && challenge.includes('insufficient_scope'), `${answer.status} came back`)
      return '403 insufficient_scope'
    },
  },
  {
    name: 'a revoked token is refused',
    async run({ addresses, accounts, kept }) {
      const asService = basic(accounts.service.identifier, accounts.service.secret)
      const introspect = () => postForm(`${addresses.issuer}/oauth/introspect`, { token: kept.serviceToken }, asService)
      const before = await introspect()
      expectThat(before.body.active === true, `introspection said ${JSON.stringify(before.body)} before`)
      const revoked = await postForm(`${addresses.issuer}/oauth/revoke`, { token: kept.serviceToken }, asService)
      expectThat(revoked.status === 200, `revocation answered ${revoked.status}`)
      const after = await introspect()
      expectThat(
        JSON.stringify(after.body) === '{"active":false}',
        `introspection said ${JSON.stringify(after.body)} after`,
      )
      const ms = await untilRefused(`${addresses['agent-api']}/agents`, kept.serviceToken)
      return `introspection says {"active":false}; the API, which asks nobody, refused it ${ms.toFixed(0)} ms later`
    },
  },
]

/** The API hears of revocations by the signed feed. */
async function untilRefused(url: string, token: string): Promise<number> {
  const since = performance.now()
  for (;;) {
    const answer = await get(url, bearer(token))
    const ms = performance.now() - since
    if (answer.status === 401) return ms
    expectThat(ms < patienceMs, `the API still answered ${answer.status} after ${ms.toFixed(0)} ms`)
  }
}
