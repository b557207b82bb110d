import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A port of loopback that was free a moment ago. It is below those that systems give out by themselves, so that no
 * server on port 0 has it before whoever it was meant for.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(14_000, 20_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
