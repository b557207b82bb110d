import { newPassword } from '../cmux-of-tour.ts'
import type { Fleet } from '../fleet.ts'
import { bearer, get, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

const signIn = ({ addresses }: Fleet, password: string, scope?: string) =>
  postJson(`${addresses.cmux}/auth/sign-in`, { password, ...(scope === undefined ? {} : { scope }) })

/** A tool on localhost with one password: no accounts, two scopes, seven days. */
export const cmux: readonly Step<Fleet>[] = [
  {
    name: 'one password opens cmux',
    async run(fleet) {
      const { addresses, accounts } = fleet
      const wrong = await signIn(fleet, newPassword())
      expectThat(wrong.status === 400 && wrong.body.error === 'invalid_grant', `a wrong one got ${wrong.status}`)
      const plain = await signIn(fleet, accounts.cmux.secret)
      expectThat(plain.status === 200 && plain.body.scope === 'service', `${plain.status} came back`)
      const started = await postJson(`${addresses.cmux}/commands`, { argv: ['true'] }, bearer(plain.body.access_token))
      expectThat(started.status === 403, `it ran a command: ${started.status}`)
      const answer = await signIn(fleet, accounts.cmux.secret, 'admin service')
      expectThat(answer.status === 200, `${answer.status} came back for admin`)
      fleet.kept.cmuxToken = answer.body.access_token
      return `${answer.body.expires_in / 86_400} days, no refresh token; without asking for admin no command`
    },
  },
  {
    name: 'cmux runs a command, seen live',
    async run({ addresses, kept }) {
      const frames = await overWebSocket(addresses.cmux, kept.cmuxToken, [
        { type: 'feed.read' },
        { type: 'command.run', data: { argv: ['/bin/echo', 'hello'] } },
      ])
      const output = frames.find(({ data }) => data?.type === 'command.output')?.data?.text
      expectThat(output === 'hello\n', `the feed said ${JSON.stringify(output)}`)
      return `first message: the token; then ${frames.length - 1} frames, the output among them`
    },
  },
  {
    name: 'another password ends old tokens',
    async run(fleet) {
      const { addresses, accounts, kept, restartCmux } = fleet
      const before = await get(`${addresses.cmux}/whoami`, bearer(kept.cmuxToken))
      expectThat(before.status === 200, `before, ${before.status} came back`)
      accounts.cmux.secret = newPassword()
      await restartCmux(accounts.cmux.secret)
      const after = await get(`${addresses.cmux}/whoami`, bearer(kept.cmuxToken))
      expectThat(after.status === 401, `a token of before got ${after.status}`)
      const answer = await signIn(fleet, accounts.cmux.secret)
      expectThat(answer.status === 200, `the new password got ${answer.status}`)
      return '401 for the old token, 200 for the new password'
    },
  },
]

interface Frame {
  readonly type: string
  readonly data?: { readonly type?: string; readonly text?: string }
}

/** The plain form: the token in the first message, nothing before; until a command has ended. */
function overWebSocket(url: string, token: string, messages: readonly object[]): Promise<readonly Frame[]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`)
    const frames: Frame[] = []
    const fail = (why: string): void => {
      clearTimeout(timer)
      socket.close()
      reject(new Surprise(why))
    }
    const timer = setTimeout(() => fail(`only ${frames.length} frames came`), patienceMs)
    socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'auth', token })))
    socket.addEventListener('error', () => fail('there was no WebSocket'))
    socket.addEventListener('close', ({ code }) => fail(`it closed with ${code}`))
    socket.addEventListener('message', ({ data }) => {
      const frame: Frame = JSON.parse(String(data))
      frames.push(frame)
      if (frame.type === 'auth.ok') for (const message of messages) socket.send(JSON.stringify(message))
      if (frame.data?.type !== 'command.ended') return
      clearTimeout(timer)
      socket.close()
      resolve(frames)
    })
  })
}
