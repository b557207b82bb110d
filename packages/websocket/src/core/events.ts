import type { RejectionCode } from '@countersign/tokens'
import type { CloseReason } from '../close-codes.ts'

export type SocketState = 'pending' | 'verifying' | 'ready' | 'draining' | 'closed'

/** Why an upgrade was answered by an HTTP error. */
export type UpgradeRefusal =
  | 'not_websocket'
  | 'token_in_url'
  | 'origin'
  | 'host'
  | 'pending_per_address'
  | 'closing'
  | 'unknown_path'

/** Why the connection was ending whose frames were not given to the application. */
export type DropCause = CloseReason | 'going_away' | 'other'

/** Why an authentication did not succeed: the guard's reason, or what stood in its way. */
export type AuthFailure =
  | RejectionCode
  | 'verify_timeout'
  | 'auth_timeout'
  | 'connection_limit'
  | 'identity_mismatch'
  | 'not_later'
  | 'too_soon'
  | 'fault'

/** What a server reports. No token, no claim, no address, nothing that a client sent; `sid` is the server's own name. */
export type WebSocketEvent =
  /** For a gauge of sockets by state; `from` is absent for a new one. */
  | { readonly type: 'state'; readonly sid: string; readonly from?: SocketState; readonly to: SocketState }
  | { readonly type: 'upgrade_refused'; readonly reason: UpgradeRefusal; readonly status: number }
  | { readonly type: 'auth'; readonly sid: string; readonly result: 'ok'; readonly durationMs: number }
  | {
      readonly type: 'auth'
      readonly sid: string
      /** `error`: a fault of ours, or nobody could say. */
      readonly result: 'denied' | 'error'
      readonly reason: AuthFailure
      readonly durationMs: number
      readonly cause?: unknown
    }
  | { readonly type: 'reauth'; readonly sid: string; readonly result: 'ok' }
  | {
      readonly type: 'reauth'
      readonly sid: string
      readonly result: 'denied' | 'error'
      readonly reason: AuthFailure
      readonly cause?: unknown
    }
  /** An unauthenticated socket made room for a newer one. */
  | { readonly type: 'evicted'; readonly sid: string }
  /** `code` is ours where we closed first, else the client's; 1006 when there was none. */
  | { readonly type: 'closed'; readonly sid: string; readonly code: number; readonly by: 'server' | 'client' }
  | { readonly type: 'dropped'; readonly sid: string; readonly cause: DropCause; readonly frames: number }
  /** The application's own code threw. `message` is a declared type. */
  | { readonly type: 'fault'; readonly sid: string; readonly message?: string; readonly cause: unknown }
