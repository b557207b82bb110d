import type { ClientRecord, IssuerStores } from '@countersign/issuer'
import { type Clock, systemClock } from '@countersign/tokens'

/** Longest that a client's record is used without looking again, whatever happens to the watch on the store. */
const longestMs = 250
const mostClients = 1_000

interface Remembered {
  readonly client: ClientRecord
  readonly readAtMs: number
}

export interface RememberedClients {
  readonly stores: IssuerStores
  /** Stops watching the store. */
  stop(): void
}

/**
 * Every token request looks its client up: remembered, that costs nothing. What this process changes is seen at once, what
 * another changes at the store's next call of `onChange` (100 ms for SQLite), and nothing is used for longer than 250 ms.
 */
export function rememberClients(
  stores: IssuerStores,
  onChange: (call: () => void) => () => void,
  clock: Clock = systemClock,
): RememberedClients {
  const { clients } = stores
  const known = new Map<string, Remembered>()
  /** A record that was read before a change must not be remembered after it. */
  let changes = 0
  const forget = (): void => {
    changes += 1
    known.clear()
  }
  const lookUp = async (
    key: string,
    read: () => Promise<ClientRecord | undefined>,
  ): Promise<ClientRecord | undefined> => {
    const readAtMs = clock.monotonicMs()
    const found = known.get(key)
    if (found !== undefined && readAtMs - found.readAtMs < longestMs) return found.client
    const before = changes
    const client = await read()
    if (client !== undefined && before === changes) {
      if (known.size >= mostClients) known.clear()
      known.set(key, { client, readAtMs })
    }
    return client
  }
  const changing = async <T>(write: Promise<T>): Promise<T> => {
    try {
      return await write
    } finally {
      forget()
    }
  }
  return {
    stores: {
      ...stores,
      clients: {
        ...clients,
        byId: (id) => lookUp(`id ${id}`, () => clients.byId(id)),
        byName: (name) => lookUp(`name ${name}`, () => clients.byName(name)),
        setSecrets: (...given) => changing(clients.setSecrets(...given)),
        setKeys: (...given) => changing(clients.setKeys(...given)),
        disable: (...given) => changing(clients.disable(...given)),
      },
    },
    stop: onChange(forget),
  }
}
