import { isReservedType } from '../frames.ts'
import { type ReadFrame, readFrame } from '../read-frame.ts'
import { takeAllowance } from './allowance.ts'
import { authenticate, authenticateAgain } from './authenticate.ts'
import { deliver, dispatch } from './dispatch.ts'
import { lookAtBuffer, send } from './send.ts'
import type { Session } from './session.ts'

export function receiveText<Scope extends string>(session: Session<Scope>, text: string): void {
  if (session.state === 'ready') receiveReady(session, text)
  else if (session.state === 'pending') receiveFirst(session, text)
  else if (session.state === 'verifying') {
    // One authentication at a time, and nothing else before its answer.
    const isAuth = session.isOurs && readFrame(text, session.core.limits.preAuthDepth)?.type === 'auth'
    session.end(isAuth ? 'second_auth' : 'malformed')
  } else session.drop()
}

export function receiveBinary<Scope extends string>(session: Session<Scope>, bytes: Uint8Array): void {
  if (session.state === 'draining' || session.state === 'closed') session.drop()
  else if (session.state !== 'ready' || session.core.options.messages !== undefined) session.end('malformed')
  else if (takeAllowance(session)) deliver(session, bytes)
}

export function receivePing<Scope extends string>(session: Session<Scope>, data: Uint8Array): void {
  // Before authentication nothing is answered, and nothing extends the deadline.
  if (session.state !== 'ready' || !takeAllowance(session)) return
  session.transport.sendPong(data)
  lookAtBuffer(session)
}

export function receivePong<Scope extends string>(session: Session<Scope>): void {
  if (session.state === 'ready') takeAllowance(session)
}

interface Credentials {
  readonly token: string
  /** Of the frame. */
  readonly id: string | undefined
}

function receiveFirst<Scope extends string>(session: Session<Scope>, text: string) {
  const { limits } = session.core
  const credentials = session.isOurs ? readAuth(readFrame(text, limits.preAuthDepth)) : readForeign(session, text)
  if (credentials === undefined || credentials.token === '' || credentials.token.length > limits.tokenLength) {
    return session.end('malformed')
  }
  session.enter('verifying')
  void authenticate(session, credentials.token, credentials.id)
}

function readAuth(frame: ReadFrame | undefined): Credentials | undefined {
  if (frame?.type !== 'auth') return undefined
  const { token } = frame.members
  return typeof token === 'string' && token !== '' ? { token, id: frame.id } : undefined
}

function readForeign<Scope extends string>(session: Session<Scope>, text: string): Credentials | undefined {
  const { options } = session.core
  try {
    const token = options.envelopes.get(session.transport.protocol)?.readToken(text)
    if (typeof token !== 'string') return undefined
    session.makeExtras().firstFrame = text
    return { token, id: undefined }
  } catch (cause) {
    // A frame that its reader cannot read is the client's fault as often as ours.
    session.core.report({ type: 'fault', sid: session.sid, cause })
    return undefined
  }
}

function receiveReady<Scope extends string>(session: Session<Scope>, text: string) {
  if (session.isLeaving) return session.drop()
  if (!takeAllowance(session)) return
  if (!session.isOurs) return deliver(session, text)
  const { options, limits } = session.core
  const frame = readFrame(text, limits.messageDepth)
  if (frame !== undefined && isReservedType(frame.type)) return receiveControl(session, frame)
  if (options.messages === undefined) return deliver(session, text)
  if (frame === undefined) return session.end('malformed')
  dispatch(session, frame)
}

function receiveControl<Scope extends string>(session: Session<Scope>, frame: ReadFrame) {
  const { type, members } = frame
  if (type === 'ping') {
    const { n } = members
    if (!Number.isSafeInteger(n)) return session.end('malformed')
    send(session, { type: 'pong', n })
  } else if (type === 'auth') {
    const credentials = readAuth(frame)
    if (credentials === undefined || credentials.token.length > session.core.limits.tokenLength) {
      return session.end('malformed')
    }
    authenticateAgain(session, credentials.token, credentials.id)
  } else if (type !== 'pong' && type !== 'error') {
    session.end('malformed')
  }
}
