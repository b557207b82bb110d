import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketError } from '../errors.ts'
import { refuseUpgrade } from './refuse.ts'

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** What `mount` needs of a server: one of `node:http` or `node:https`. */
export type UpgradeServer = Pick<Server, 'on' | 'off' | 'listenerCount'>

const mountsOf: WeakMap<UpgradeServer, Map<string, UpgradeHandler>> = new WeakMap()

/**
 * Gives upgrades of one path to a handler. All mounts of a server share one listener; upgrades of other paths are left
 * to whoever else listens, and answered with 404 when nobody does: such a socket would stay open for ever.
 *
 * @throws WebSocketError `bad_option` for a path that is none, or is taken
 */
export function mountUpgrades(
  server: UpgradeServer,
  path: string,
  handler: UpgradeHandler,
  onUnknown: () => void,
): () => void {
  if (typeof path !== 'string' || !/^\/[^?#\s]*$/.test(path)) {
    throw new WebSocketError('bad_option', 'A path begins with "/", and has neither a query nor a fragment.')
  }
  const mounts = mountsOf.get(server) ?? listen(server, onUnknown)
  if (mounts.has(path)) throw new WebSocketError('bad_option', `Something is mounted at ${path} already.`)
  mounts.set(path, handler)
  return () => {
    if (mounts.get(path) === handler) mounts.delete(path)
  }
}

function listen(server: UpgradeServer, onUnknown: () => void): Map<string, UpgradeHandler> {
  const mounts = new Map<string, UpgradeHandler>()
  mountsOf.set(server, mounts)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { url = '' } = request
    const query = url.indexOf('?')
    const handler = mounts.get(query < 0 ? url : url.slice(0, query))
    if (handler !== undefined) handler(request, socket, head)
    else if (server.listenerCount('upgrade') === 1) {
      onUnknown()
      refuseUpgrade(socket, 404)
    }
  })
  return mounts
}
