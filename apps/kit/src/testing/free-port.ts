import { randomInt } from 'node:crypto'
import { createServer } from 'node:http'

/**
 * A port of 127.0.0.1 that nobody listens on: for what has to be known before it is started. It is below those that
 * systems give out by themselves, so that no server on port 0 has it before whoever it was meant for.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 26_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
