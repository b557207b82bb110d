import type { Fleet } from '../fleet.ts'
import { bearer, get, postForm, postJson } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

/** A person signs in, calls the API, refreshes; whoever steals a spent refresh token ends the session. */
export const people: readonly Step<Fleet>[] = [
  {
    name: 'a user signs in',
    async run({ addresses, accounts, kept }) {
      const answer = await postJson(`${addresses.issuer}/auth/sign-in`, {
        identifier: accounts.user.identifier,
        secret: accounts.user.secret,
        client_id: accounts.app.identifier,
        audience: 'agent-api',
      })
      expectThat(
        answer.status === 200,
        `the token service answered ${answer.status} ${JSON.stringify(answer.body.error)}`,
      )
      expectThat(answer.headers.get('cache-control') === 'no-store', 'the answer may be cached')
      kept.userToken = answer.body.access_token
      kept.refreshToken = answer.body.refresh_token
      return `200, a token for ${answer.body.expires_in} s, scope "${answer.body.scope}"`
    },
  },
  {
    name: 'a wrong password is refused',
    async run({ addresses, accounts }) {
      const answer = await postJson(`${addresses.issuer}/auth/sign-in`, {
        identifier: accounts.user.identifier,
        secret: 'not the password',
        client_id: accounts.app.identifier,
        audience: 'agent-api',
      })
      expectThat(answer.status === 400 && answer.body.error === 'invalid_grant', `${answer.status} came back`)
      return '400 invalid_grant, as for a user who does not exist'
    },
  },
  {
    name: 'the API says who calls',
    async run({ addresses, kept }) {
      const answer = await get(`${addresses['agent-api']}/whoami`, bearer(kept.userToken))
      expectThat(answer.status === 200, `${answer.status} came back`)
      expectThat(typeof answer.body.subject === 'string', 'no subject in the answer')
      return `200, subject ${answer.body.subject}`
    },
  },
  {
    name: 'the user chats',
    async run({ addresses, kept }) {
      const answer = await postJson(
        `${addresses['agent-api']}/chat`,
        { message: 'What is a countersign?' },
        bearer(kept.userToken),
      )
      expectThat(answer.status === 200 || answer.status === 201, `${answer.status} came back`)
      return `${answer.status}, answered by the local responder`
    },
  },
  {
    name: 'the user refreshes',
    async run({ addresses, accounts, kept }) {
      const answer = await postForm(`${addresses.issuer}/oauth/token`, {
        grant_type: 'refresh_token',
        refresh_token: kept.refreshToken,
        client_id: accounts.app.identifier,
      })
      expectThat(answer.status === 200, `${answer.status} ${JSON.stringify(answer.body.error)} came back`)
      expectThat(answer.body.refresh_token !== kept.refreshToken, 'the refresh token did not change')
      kept.spentRefreshToken = kept.refreshToken
      kept.refreshToken = answer.body.refresh_token
      kept.userToken = answer.body.access_token
      return '200, a new access token and the next refresh token'
    },
  },
]

/** Runs last among the person's steps: it ends the session. */
export const theft: readonly Step<Fleet>[] = [
  {
    name: 'a spent refresh token is replayed',
    async run({ addresses, accounts, kept }) {
      const refresh = (token: string) =>
        postForm(`${addresses.issuer}/oauth/token`, {
          grant_type: 'refresh_token',
          refresh_token: token,
          client_id: accounts.app.identifier,
        })
      // Until the owner uses the successor, a repeat might be the owner's own, whose answer was lost.
      const next = await refresh(kept.refreshToken)
      expectThat(next.status === 200, `the owner got ${next.status}`)
      const thief = await refresh(kept.spentRefreshToken)
      expectThat(thief.status === 400 && thief.body.error === 'invalid_grant', `the thief got ${thief.status}`)
      const owner = await refresh(next.body.refresh_token)
      expectThat(owner.status === 400, `the family lives on: the newest token got ${owner.status}`)
      return '400 for the thief, and the whole session is over'
    },
  },
  {
    name: 'the user signs in again, and out',
    async run({ addresses, accounts, kept }) {
      const session = await postJson(`${addresses.issuer}/auth/sign-in`, {
        identifier: accounts.user.identifier,
        secret: accounts.user.secret,
        client_id: accounts.app.identifier,
        audience: 'agent-api',
      })
      expectThat(session.status === 200, `signing in again got ${session.status}`)
      kept.userToken = session.body.access_token
      const status = () => get(`${addresses.issuer}/auth/status`, bearer(session.body.access_token))
      const before = await status()
      expectThat(before.body.state === 'signed-in', `the status was ${JSON.stringify(before.body)}`)
      const out = await postJson(`${addresses.issuer}/auth/sign-out`, { refresh_token: session.body.refresh_token })
      expectThat(out.status < 300, `signing out got ${out.status}`)
      const after = await status()
      expectThat(after.status === 200 && after.body.state === 'signed-out', `then it was ${JSON.stringify(after.body)}`)
      return 'signed-in, then signed-out'
    },
  },
]
