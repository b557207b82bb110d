import type { Principal } from '@countersign/tokens'
import type { ReadFrame } from '../read-frame.ts'
import { errorFrame } from './error-frame.ts'
import { checkType } from './message-type.ts'
import { send, sendError } from './send.ts'
import type { Session } from './session.ts'
import { unavailableRetryMs } from './unavailable.ts'

/** Gives a frame as it came to the application. */
export function deliver<Scope extends string>(session: Session<Scope>, frame: string | Uint8Array): void {
  const { core, principal, extras } = session
  if (principal === undefined || !core.permits(principal)) session.principalIsOver()
  else callGuarded(session, () => extras?.onFrame?.(frame))
}

/** Calls the handler of a message's type, or keeps the message while as many as may be are in hand. */
export function dispatch<Scope extends string>(session: Session<Scope>, frame: ReadFrame): void {
  if (session.inFlight < session.core.limits.inFlight) handle(session, frame)
  else {
    // Reading stopped, but what came in the same segment is here already.
    const extras = session.makeExtras()
    extras.backlog ??= []
    extras.backlog.push(frame)
  }
}

function handle<Scope extends string>(session: Session<Scope>, { type, id, members }: ReadFrame) {
  const { core, principal } = session
  if (principal === undefined) return
  const scopes = core.options.messages?.get(type)
  const handler = core.handlers.get(type)
  if (scopes === undefined || handler === undefined || !core.permits(principal, scopes)) {
    return deny(session, principal, handler === undefined ? undefined : scopes, id)
  }
  let work: void | Promise<void>
  try {
    work = handler({
      type,
      data: members.data,
      principal,
      connection: session.connection,
      reply: (answer) => {
        checkType(answer.type)
        return send(session, id === undefined ? answer : { ...answer, id })
      },
      refuse: (code, retry = 'never') => send(session, errorFrame(id, code, retry)),
    })
  } catch (cause) {
    return failed(session, cause, type, id)
  }
  if (!(work instanceof Promise)) return
  session.inFlight += 1
  if (session.inFlight === core.limits.inFlight) session.transport.stopReading()
  work.then(
    () => handled(session),
    (cause: unknown) => {
      failed(session, cause, type, id)
      handled(session)
    },
  )
}

/**
 * Says why a message does not reach its handler; the end of the principal is more than that.
 * @param scopes `undefined` for a type that nobody handles
 */
function deny<Scope extends string>(
  session: Session<Scope>,
  principal: Principal,
  scopes: readonly Scope[] | undefined,
  id: string | undefined,
) {
  if (!session.core.permits(principal)) return session.principalIsOver()
  if (scopes === undefined) return sendError(session, id, 'unknown_type', 'never')
  // Whoever has them is kept waiting by late revocation news; what a monitor's token says is not what it has.
  if (session.core.holds(principal, scopes)) sendError(session, id, 'unavailable', 'backoff', unavailableRetryMs)
  else sendError(session, id, 'insufficient_scope', 'never')
}

function handled<Scope extends string>(session: Session<Scope>) {
  const { inFlight } = session.core.limits
  session.inFlight -= 1
  if (session.isLeaving && session.inFlight === 0) return session.shut(1001, 'going away')
  const backlog = session.extras?.backlog
  while (backlog !== undefined && backlog.length > 0 && session.inFlight < inFlight) {
    const next = backlog.shift()
    if (next === undefined) break
    if (session.state === 'ready' && !session.isLeaving) handle(session, next)
    else session.drop()
  }
  if (session.inFlight === inFlight - 1 && session.state === 'ready') session.transport.goOnReading()
}

function failed<Scope extends string>(
  session: Session<Scope>,
  cause: unknown,
  message: string,
  id: string | undefined,
) {
  session.core.report({ type: 'fault', sid: session.sid, message, cause })
  sendError(session, id, 'internal', 'backoff')
}

/** Runs the application's code, whose faults must not end other sockets. */
export function callGuarded<Scope extends string>(session: Session<Scope>, call: () => void): void {
  try {
    call()
  } catch (cause) {
    session.core.report({ type: 'fault', sid: session.sid, cause })
  }
}
