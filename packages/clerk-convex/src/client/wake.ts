interface EventTargetLike {
  addEventListener?: (type: string, call: () => void) => void
  removeEventListener?: (type: string, call: () => void) => void
}

/** Calls back when the network is back or the page is seen again; does nothing where there are no such events. */
export function onWake(call: () => void): () => void {
  const scope = globalThis as EventTargetLike & { document?: EventTargetLike & { visibilityState?: string } }
  const { document } = scope
  const onVisible = (): void => {
    if (document?.visibilityState === 'visible') call()
  }
  scope.addEventListener?.('online', call)
  document?.addEventListener?.('visibilitychange', onVisible)
  return () => {
    scope.removeEventListener?.('online', call)
    document?.removeEventListener?.('visibilitychange', onVisible)
  }
}
