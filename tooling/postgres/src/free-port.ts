import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody listens on: for what has to be known before it is started, or stays the same over a
 * restart. It is below those that systems give out by themselves, so that no server on port 0 has it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(26_000, 32_000)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
}
