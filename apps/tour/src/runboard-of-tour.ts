import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { get } from './http.ts'
import { Surprise } from './walk.ts'

export interface RunboardOfTour {
  readonly url: string
  readonly convexUrl: string
  readonly siteUrl: string
  readonly clerkUrl: string
  close(): Promise<void>
}

const main = fileURLToPath(new URL('main.js', import.meta.resolve('@countersign-apps/runboard')))

/** In a process of its own: Convex's functions read their settings from the environment, and log to the console. */
export async function startRunboard(options: {
  readonly port: number
  readonly logDestination: { write(line: string): unknown }
}): Promise<RunboardOfTour> {
  const child = fork(main, {
    env: { PORT: String(options.port) },
    // It ends when this one is gone: the channel tells.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const exit = once(child, 'close')
  let printed = ''
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        options.logDestination.write(text)
        printed += text
        if (printed.includes('Ctrl-C ends it.')) resolve()
      })
    }
  })
  await Promise.race([ready, exit.then(() => Promise.reject(new Surprise(`runboard did not start: ${printed}`)))])
  const url = `http://127.0.0.1:${options.port}`
  const { body: config } = await get(`${url}/config.json`)
  return {
    url,
    ...config,
    async close() {
      child.kill('SIGTERM')
      await exit
    },
  }
}
