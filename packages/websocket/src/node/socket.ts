import type { Socket as TcpSocket } from 'node:net'
import { WebSocket } from 'ws'
import type { Session } from '../core/session.ts'
import type { Transport } from '../core/transport.ts'
import { FirstBytes } from './first-bytes.ts'

/** The library's socket, which is the session's transport too: an object between them would be paid for by every socket. */
export class Socket extends WebSocket implements Transport {
  session: Session | undefined = undefined
  #liftBudget: (() => void) | undefined = undefined

  /** Puts the socket under its session. The listeners are shared by all sockets. */
  begin(session: Session): void {
    this.session = session
  }

  listen(tcp: TcpSocket, budget: number): void {
    this.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('error', onError).on('close', onClose)
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

  sendFrame(frame: string | Uint8Array): void {
    this.send(frame)
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

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  const { session } = this as Socket
  // `binaryType` is never changed, so that it is a Buffer.
  if (isBinary) session?.receiveBinary(data as Buffer)
  else session?.receiveText(data.toString())
}

function onPing(this: WebSocket, data: Buffer): void {
  ;(this as Socket).session?.receivePing(data)
}

function onPong(this: WebSocket): void {
  ;(this as Socket).session?.receivePong()
}

/** The library has sent its close code (1002, 1007, 1009) or lost the connection; the session only has to know. */
function onError(this: WebSocket): void {
  ;(this as Socket).session?.peerIsClosing()
}

function onClose(this: WebSocket, code: number): void {
  const { session } = this as Socket
  ;(this as Socket).liftBudget()
  session?.closed(code)
}
