import type { Retry } from './close-codes.ts'

/** The subprotocol that both sides name (RFC 6455 section 1.9). */
export const subprotocol = 'wsauth.v1'

/** First frame of the server, with the subprotocol only. */
export interface AuthRequiredFrame {
  readonly type: 'auth.required'
  readonly v: 1
  readonly methods: readonly string[]
  /** Milliseconds from the upgrade to `auth.ok`. */
  readonly deadlineMs: number
  /** Bytes on the wire until then, frame headers included. */
  readonly maxBytes: number
}

/** First frame of the client; again while connected, to stay. */
export interface AuthFrame {
  readonly type: 'auth'
  readonly id?: string
  readonly token: string
}

export interface AuthOkFrame {
  readonly type: 'auth.ok'
  readonly id?: string
  /** Names this connection in the server's events. */
  readonly sid: string
  /** Unix seconds at which the connection ends, unless it authenticates again. */
  readonly exp: number
  /** The server's Unix seconds. */
  readonly now: number
  /** Milliseconds until the client should authenticate again; absent when it is not expected to. */
  readonly refreshAtMs?: number
  /** Milliseconds between the server's pings; absent in the plain form, whose pings are WebSocket's own. */
  readonly pingMs?: number
  /** Milliseconds in which a ping is to be answered. */
  readonly pongMs?: number
  readonly scopes: readonly string[]
}

export type RefreshReason = 'expiring' | 'claims_changed' | 'key_retired'

export interface AuthRefreshFrame {
  readonly type: 'auth.refresh'
  readonly reason: RefreshReason
  /** Milliseconds until the connection is closed. */
  readonly deadlineMs: number
}

export interface ErrorFrame {
  readonly type: 'error'
  /** Of the message that it answers. */
  readonly id?: string
  readonly code: string
  readonly retry: Retry
  readonly retryAfterMs?: number
}

export interface PingFrame {
  readonly type: 'ping'
  readonly n: number
}

export interface PongFrame {
  readonly type: 'pong'
  readonly n: number
}

/** What the application says, in either direction. */
export interface MessageFrame {
  readonly type: string
  readonly id?: string
  readonly data?: unknown
}

/** Types that belong to the protocol: an application's message cannot have one of them. */
export function isReservedType(type: string): boolean {
  return type === 'auth' || type === 'error' || type === 'ping' || type === 'pong' || type.startsWith('auth.')
}

/** Most characters of `type` and of `id`. */
export const maxNameLength = 64
