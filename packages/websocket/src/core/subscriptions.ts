import { callGuarded } from './dispatch.ts'
import type { Session } from './session.ts'

/** Calls `stop` once, when the scopes are no longer held; the result says that it ended by itself. */
export function subscribe<Scope extends string>(
  session: Session<Scope>,
  scopes: readonly Scope[],
  stop: () => void,
): () => void {
  const { core, principal } = session
  if (session.state !== 'ready' || principal === undefined || !core.permits(principal, scopes)) {
    queueMicrotask(() => callGuarded(session, stop))
    return () => {}
  }
  const extras = session.makeExtras()
  extras.subscriptions ??= new Set()
  const subscription = { scopes, stop }
  extras.subscriptions.add(subscription)
  return () => extras.subscriptions?.delete(subscription)
}

export function stopSubscriptions<Scope extends string>(
  session: Session<Scope>,
  isOver: (scopes: readonly string[]) => boolean,
): void {
  const subscriptions = session.extras?.subscriptions
  for (const subscription of subscriptions ?? []) {
    if (!isOver(subscription.scopes)) continue
    subscriptions?.delete(subscription)
    callGuarded(session, subscription.stop)
  }
}
