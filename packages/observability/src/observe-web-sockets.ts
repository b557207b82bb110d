import { type Observers, quietly } from './observe.ts'

/** What is read of the events of `@countersign/websocket`; a test holds it to the package's own union. */
export type WebSocketEventLike =
  | { readonly type: 'state'; readonly from?: string; readonly to: string }
  | { readonly type: 'upgrade_refused'; readonly reason: string; readonly status: number }
  | { readonly type: 'auth'; readonly result: 'ok'; readonly durationMs: number }
  | {
      readonly type: 'auth'
      readonly result: 'denied' | 'error'
      readonly reason: string
      readonly durationMs: number
      readonly cause?: unknown
    }
  | { readonly type: 'reauth'; readonly result: 'ok' }
  | {
      readonly type: 'reauth'
      readonly result: 'denied' | 'error'
      readonly reason: string
      readonly cause?: unknown
    }
  | { readonly type: 'evicted' }
  | { readonly type: 'closed'; readonly code: number; readonly by: string }
  | { readonly type: 'dropped'; readonly cause: string; readonly frames: number }
  | { readonly type: 'fault'; readonly message?: string; readonly cause: unknown }

/** Turns the events of sockets into metrics and log lines. */
export function observeWebSockets({ metrics, logger }: Observers): (event: WebSocketEventLike) => void {
  const counted = metrics?.webSockets
  const sockets = new Map<string, number>()
  const move = (state: string, change: number): void => {
    const now = (sockets.get(state) ?? 0) + change
    sockets.set(state, now)
    counted?.sockets.set({ state }, now)
  }
  const withCause = (cause: unknown): { error?: unknown } => (cause === undefined ? {} : { error: cause })

  return quietly((event: WebSocketEventLike) => {
    switch (event.type) {
      case 'state':
        if (event.from !== undefined) move(event.from, -1)
        if (event.to !== 'closed') move(event.to, 1)
        return
      case 'upgrade_refused':
        counted?.upgradesRejected.add({ reason: event.reason })
        logger?.info('an upgrade was refused', { event: event.type, reason: event.reason, status: event.status })
        return
      case 'auth': {
        const { result, durationMs } = event
        const reason = result === 'ok' ? 'none' : event.reason
        counted?.auth.add({ result, reason })
        counted?.authDuration.observe({}, durationMs / 1000)
        const fields = { event: 'socket_auth', result, reason, duration_ms: durationMs }
        if (result === 'ok') logger?.debug('a socket was authenticated', fields)
        else if (result === 'denied') logger?.info('a socket was not authenticated', fields)
        else logger?.error('no decision on a socket was possible', { ...fields, ...withCause(event.cause) })
        return
      }
      case 'reauth': {
        const { result } = event
        counted?.reauth.add({ result })
        if (result === 'ok') return
        const fields = { event: 'socket_reauth', result, reason: event.reason, ...withCause(event.cause) }
        logger?.[result === 'error' ? 'error' : 'info']('a socket could not be authenticated again', fields)
        return
      }
      case 'evicted':
        counted?.evicted.add({})
        logger?.warn('an unauthenticated socket made room for a newer one', { event: 'socket_evicted' })
        return
      case 'closed':
        counted?.closes.add({ code: String(event.code) })
        logger?.debug('a socket ended', { event: 'socket_closed', code: String(event.code), actor: event.by })
        return
      case 'dropped':
        counted?.framesDropped.add({ cause: event.cause }, event.frames)
        return
      case 'fault':
        logger?.error('a message could not be handled', {
          event: 'socket_fault',
          action: event.message ?? '',
          error: event.cause,
        })
    }
  })
}
