/** What a session needs of its socket. The WebSocket library's own object implements it, so that nothing stands between. */
export interface Transport {
  /** The subprotocol that was agreed on; empty for none. */
  readonly protocol: string
  sendFrame(frame: string | Uint8Array): void
  sendPing(): void
  sendPong(data: Uint8Array): void
  /** Sends a close frame, at most 123 bytes of reason; the peer may ignore it. */
  closeFrame(code: number, reason: string): void
  /** Ends the TCP connection at once. */
  destroyNow(): void
  /** Frames that were read already may still arrive. */
  stopReading(): void
  goOnReading(): void
  /** Bytes that were sent and not taken yet. */
  unsentBytes(): number
  /** The budget before authentication ends. */
  liftBudget(): void
}
