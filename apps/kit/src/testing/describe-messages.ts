import assert from 'node:assert/strict'
import type { ConsumerLike } from '@countersign/guard'
import type { TestRunner } from './describe-routes.ts'

export interface MessagesUnderTest<Scope extends string> {
  readonly consumer: ConsumerLike<Scope>
  /** What the socket was made with: the scopes of each type. */
  readonly messages: Readonly<Record<string, readonly Scope[]>>
  /** Of the socket, once it runs. */
  readonly url: () => string
  token(change?: { readonly scope?: string; readonly aud?: string }): string
  /** The data of each type, as it should be sent; a type that is not here fails its test. */
  readonly samples: Readonly<Record<string, () => Promise<unknown>>>
}

/** What became of a message: the frame that answers it, or the code that the socket was closed with. */
type Outcome = { readonly type?: unknown; readonly code?: unknown } | number

interface Frame {
  readonly type: string
  readonly id: string
  readonly data: unknown
}

const longestMs = 60_000

/** Every message of a socket: no token 4400, another audience 4401, scope missing refused, its own scope alone answered. */
export function describeMessages<Scope extends string>(
  { consumer, messages, url, token, samples }: MessagesUnderTest<Scope>,
  { describe, it }: TestRunner,
): void {
  const every = Object.keys(consumer.scopes)
  for (const [type, asked] of Object.entries<readonly string[]>(messages)) {
    const send = async (presented?: string): Promise<Outcome> => {
      const sample = samples[type]
      if (sample === undefined) throw new Error(`No sample of ${type}.`)
      return say(url(), presented, { type, id: '1', data: await sample() })
    }
    describe(`message ${type}`, () => {
      it('closes the socket without a token, and with one for another audience', async () => {
        assert.equal(await send(), 4400)
        assert.equal(await send(token({ aud: 'somebody-else' })), 4401)
      })

      it('is refused to a token with every scope but its own', async () => {
        const refused = await send(token({ scope: every.filter((scope) => !asked.includes(scope)).join(' ') }))
        assert.deepEqual(refused, { type: 'error', id: '1', code: 'insufficient_scope', retry: 'never' })
      })

      it('is answered to a token with its scope and no other', async () => {
        const answer = await send(token({ scope: asked.join(' ') }))
        assert.ok(typeof answer === 'object' && answer.type !== 'error', JSON.stringify(answer))
      })
    })
  }
}

/** Authenticates in the plain form (PROTOCOL.md section 8), sends one message, and waits for its answer. */
function say(url: string, token: string | undefined, frame: Frame): Promise<Outcome> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'))
  const outcome = Promise.withResolvers<Outcome>()
  const timer = setTimeout(() => outcome.reject(new Error('nothing came')), longestMs)
  const send = (value: unknown): void => socket.send(JSON.stringify(value))
  socket.addEventListener('open', () => send(token === undefined ? frame : { type: 'auth', token }))
  socket.addEventListener('message', ({ data }) => {
    const message: { type?: unknown; id?: unknown } = JSON.parse(String(data))
    if (message.type === 'auth.ok') send(frame)
    if (message.id === frame.id) outcome.resolve(message)
  })
  socket.addEventListener('close', ({ code }) => outcome.resolve(code))
  return outcome.promise.finally(() => {
    clearTimeout(timer)
    socket.close()
  })
}
