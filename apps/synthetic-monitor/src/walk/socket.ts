import type { Clock } from '@countersign/tokens'
import { isWebSocketError } from '@countersign/websocket'
import { connect } from '@countersign/websocket/client'
import { hostOf } from '../ask.ts'
import { type FailureReason, ProbeFailure } from '../failure.ts'
import { changeScope } from '../scopes.ts'

export interface ProbeSocket {
  /** The code that it was closed with, whoever did. */
  readonly closed: Promise<number>
  /** Asks for what a synthetic token is not let in for. @throws ProbeFailure where it is, and where nobody says */
  refuseSideEffects(timeoutMs: number): Promise<void>
}

export interface Opening {
  /** @throws ProbeFailure when it is closed before */
  readonly ready: Promise<ProbeSocket>
  close(): void
}

/** Opens a WebSocket that authenticates by its first message, and does not come back when it is closed. */
export function openSocket(url: string, token: string, clock: Clock): Opening {
  const who = `the WebSocket at ${hostOf(url)}`
  const closed = Promise.withResolvers<number>()
  const ready = Promise.withResolvers<ProbeSocket>()
  const end = (code: number): void => {
    closed.resolve(code)
    const reason = code >= 4400 && code < 4460 ? 'refused' : code >= 4460 ? 'unavailable' : 'unreachable'
    ready.reject(new ProbeFailure(reason, `${who} was closed with ${code} before it was ready`))
    // Not from within the client's own call, which has not decided yet what it does about the close.
    queueMicrotask(() => socket.close())
  }
  const socket = connect(`${url}/chat`, {
    clock,
    getToken: async ({ reason }) => (reason === 'rejected' ? undefined : token),
    onEvent: (event) => {
      if (event.type === 'closed') end(event.code)
    },
  })
  const probe: ProbeSocket = {
    closed: closed.promise,
    refuseSideEffects: async (timeoutMs) => {
      const said = await answerTo(socket.request('chat.send', {}, { timeoutMs }))
      if (said === 'insufficient_scope') return
      const reason = reasons[said] ?? 'accepted'
      const letIn = reason === 'accepted' ? ` let a synthetic token in for ${changeScope}` : ''
      throw new ProbeFailure(reason, `${who}${letIn}: ${said}`)
    },
  }
  socket.onState((state) => {
    if (state === 'ready') ready.resolve(probe)
  })
  return { ready: ready.promise, close: () => socket.close() }
}

/** Every other answer comes from whoever was reached. */
const reasons: Readonly<Record<string, FailureReason>> = {
  unavailable: 'unavailable',
  unknown_type: 'wrong_answer',
  no_answer: 'timeout',
  connection_lost: 'unreachable',
  stopped: 'unreachable',
}

async function answerTo(request: Promise<unknown>): Promise<string> {
  try {
    await request
    return 'an answer'
  } catch (error) {
    if (isWebSocketError(error)) return error.refusal?.code ?? error.code
    throw error
  }
}
