import type { Fleet } from '../fleet.ts'
import { postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

/** A person chats over a WebSocket, whose first message is the token, until the session ends. */
export const chat: readonly Step<Fleet>[] = [
  {
    name: 'a chat ends with its session',
    async run(fleet) {
      const { addresses, accounts, kept } = fleet
      const client_id = accounts.app.identifier
      const { identifier, secret } = accounts.user
      const words = { identifier, secret, client_id, audience: 'agent-api' }
      const answer = await postJson(`${addresses.issuer}/auth/sign-in`, words)
      expectThat(answer.status === 200, `the token service answered ${answer.status}`)
      const { access_token, refresh_token } = answer.body
      kept.chatToken = access_token

      const conversation = openChat(addresses['agent-api'], access_token)
      conversation.say({ type: 'chat.send', id: '1', data: { message: 'Who goes there?' } })
      const frames = await conversation.until(({ type, id }) => type === 'chat.done' && id === '1')
      expectThat(frames[0]?.type === 'auth.required' && frames[1]?.type === 'auth.ok', `first came ${frames[0]?.type}`)

      const out = await postJson(`${addresses.issuer}/auth/sign-out`, { refresh_token, client_id })
      const since = performance.now()
      expectThat(out.status === 200, `signing out got ${out.status}`)
      const code = await conversation.closed
      const ms = performance.now() - since
      expectThat(code === revoked, `it closed with ${code}`)
      const again = await openChat(addresses['agent-api'], access_token).closed
      expectThat(again === revoked, `the same token closed with ${again}`)
      return `an answer in ${frames.length - 2} frames; signed out, closed with ${code} ${ms.toFixed(0)} ms later`
    },
  },
]

const revoked = 4431

interface Frame {
  readonly type: string
  readonly id?: string
}

/** As any client would that was written from the protocol's page. */
function openChat(url: string, token: string) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/chat`, 'wsauth.v1')
  const frames: Frame[] = []
  const waiting: object[] = []
  let look = (): void => {}
  const say = (message: object): void => {
    if (frames.some(({ type }) => type === 'auth.ok')) socket.send(JSON.stringify(message))
    else waiting.push(message)
  }
  socket.addEventListener('message', ({ data }) => {
    const frame: Frame = JSON.parse(String(data))
    frames.push(frame)
    if (frame.type === 'auth.required') socket.send(JSON.stringify({ type: 'auth', token }))
    else if (frame.type === 'auth.ok') for (const message of waiting.splice(0)) say(message)
    look()
  })
  const closed = inTime<number>('it stays open', (resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code))
  })
  closed.catch(() => socket.close())
  return {
    say,
    closed,
    /** Everything that came, up to the first such frame. */
    until: (isLast: (frame: Frame) => boolean) =>
      inTime<readonly Frame[]>('no answer came', (resolve) => {
        look = () => {
          if (frames.some(isLast)) resolve([...frames])
        }
        look()
      }),
  }
}

/** @throws Surprise when patience is over */
function inTime<Found>(otherwise: string, find: (resolve: (found: Found) => void) => void): Promise<Found> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Surprise(otherwise)), patienceMs)
    find((found) => {
      clearTimeout(timer)
      resolve(found)
    })
  })
}
