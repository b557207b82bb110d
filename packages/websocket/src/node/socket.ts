import type { Socket as TcpSocket } from 'node:net'
import { WebSocket } from 'ws'
import type { Session } from '../core/session.ts'
import type { Transport } from '../core/transport.ts'
import { FirstBytes } from './first-bytes.ts'
import { textFrame } from './text-frame.ts'

/**
 * A peer that ends its half is gone. The library would end ours, and then wait until what was sent is taken: for ever,
 * where nobody takes it.
 */
function endBoth(this: TcpSocket): void {
  this.destroy()
}

/** The library's socket, which is the session's transport too: an object between them would be paid for by every socket. */
export class Socket extends WebSocket implements Transport {
  session: Session | undefined = undefined
  /** Absent in an emitter without listeners, as this one is: Node's own start is a table of 184 bytes. */
  declare _events: undefined
  #tcp: TcpSocket | undefined = undefined
  #liftBudget: (() => void) | undefined = undefined

  /** Puts the socket under its session. */
  begin(session: Session): void {
    this.session = session
  }

  listen(tcp: TcpSocket, budget: number): void {
    this._events = undefined
    this.#tcp = tcp
    const others = tcp.rawListeners('end')
    tcp.on('end', endBoth)
    // One by one, after: a table that loses an entry grows by 800 bytes.
    for (const other of others) tcp.off('end', other as () => void)
    const bytes = new FirstBytes(budget)
    const onData = (chunk: Uint8Array): void => {
      const verdict = bytes.take(chunk)
      if (verdict === 'ok') return
      this.liftBudget()
      this.session?.overBudget(verdict)
    }
    // Before the library's own listener: it must not have parsed what is over the budget.
    tcp.prependListener('data', onData)
    this.#liftBudget = () => tcp.off('data', onData)
  }

  /** What the library tells goes to the session at once: a table of listeners would be paid for by every socket. */
  override emit(event: string | symbol, ...told: readonly unknown[]): boolean {
    const { session } = this
    if (event === 'message') {
      // `binaryType` is never changed, so that it is a Buffer.
      const [data, isBinary] = told as [Buffer, boolean]
      if (isBinary) session?.receiveBinary(data)
      else session?.receiveText(data.toString())
    } else if (event === 'ping') session?.receivePing(told[0] as Buffer)
    else if (event === 'pong') session?.receivePong()
    // The library has sent its close code (1002, 1007, 1009) or lost the connection; the session only has to know.
    else if (event === 'error') session?.peerIsClosing()
    else if (event === 'close') {
      this.liftBudget()
      session?.closed(told[0] as number)
    } else return super.emit(event, ...told)
    return true
  }

  sendFrame(frame: string | Uint8Array): void {
    if (typeof frame !== 'string') this.send(frame)
    // The library's own way writes header and text apart, and has room for compression and masks besides.
    else if (this.readyState === WebSocket.OPEN) this.#tcp?.write(textFrame(frame))
  }

  sendPing(): void {
    this.ping()
  }

  sendPong(data: Uint8Array): void {
    this.pong(data)
  }

  closeFrame(code: number, reason: string): void {
    this.close(code, reason)
  }

  destroyNow(): void {
    this.terminate()
  }

  stopReading(): void {
    this.pause()
  }

  goOnReading(): void {
    this.resume()
  }

  unsentBytes(): number {
    return this.bufferedAmount
  }

  liftBudget(): void {
    this.#liftBudget?.()
    this.#liftBudget = undefined
  }
}
