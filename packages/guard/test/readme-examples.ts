import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>

/** The README's code, in order; of one section if a heading is given. */
export function examples(heading?: string): string[] {
  const [, section = ''] = heading === undefined ? ['', readme] : readme.split(`## ${heading}\n`)
  const [own = ''] = heading === undefined ? [section] : section.split('\n## ')
  return [...own.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
}

/** Runs an example as it stands, but for its imports, whose names are given. */
export function run(example: string, names: Readonly<Record<string, unknown>>): Promise<unknown> {
  const body = stripTypeScriptTypes(`async () => {${example.replaceAll(/^(import .*$|export )/gm, '')}}`)
  return new AsyncFunction(...Object.keys(names), `return (${body})()`)(...Object.values(names))
}

export interface RunningExample {
  readonly url: string
  close(): Promise<void>
}

/** Runs an example that calls `createServer(…).listen(…)`; it listens on a free port instead of its own. */
export function serve(example: string, names: Readonly<Record<string, unknown>>): Promise<RunningExample> {
  return new Promise((resolve, reject) => {
    const create = (listener: RequestListener) => {
      const server = createServer(listener)
      const close = async () => {
        server.closeAllConnections()
        await new Promise((closed) => server.close(closed))
      }
      const { listen } = server
      const report = () => {
        const address = server.address()
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve({ url: `http://127.0.0.1:${address.port}`, close })
      }
      return Object.assign(server, { listen: () => Reflect.apply(listen, server, [0, '127.0.0.1', report]) })
    }
    run(example, { ...names, createServer: create }).catch(reject)
  })
}

/** Replaces, and says so if there was nothing to replace: an example that changed must not go untested. */
export function replaced(example: string, from: string, to: string): string {
  if (!example.includes(from)) throw new Error(`The example does not hold ${from}`)
  return example.replaceAll(from, to)
}
