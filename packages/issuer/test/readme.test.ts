import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { issuerRoutes } from '../src/express.ts'
import { createIssuer, issuerErrorCodes } from '../src/index.ts'
import { memoryIssuerStores } from '../src/testing.ts'
import { consumers, startService } from './service.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('shows an example in its README that runs', async () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const body = example.replaceAll(/^import .*$/gm, '').replaceAll('http://127.0.0.1:4600', 'ISSUER')
  const service = await startService()
  const printed: string[] = []
  let listened: unknown[] = []
  let stop: (() => unknown) | undefined
  const names: Record<string, unknown> = {
    createIssuer,
    issuerRoutes,
    consumers,
    rings: service.rings,
    openSqlite: async () => ({ stores: { issuer: memoryIssuerStores() } }),
    createServer: (handler: unknown) => ({
      listen: (...where: unknown[]) => {
        listened = [typeof handler, ...where]
      },
    }),
    console: { log: (text: string) => printed.push(text) },
    process: {
      once: (_signal: string, call: () => unknown) => {
        stop = call
      },
    },
  }
  const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>
  await new AsyncFunction(...Object.keys(names), body.replace('ISSUER', service.url))(...Object.values(names))
  expect(printed[0]).toMatch(/^cs_secret_/)
  expect(listened).toEqual(['function', 4600, '127.0.0.1'])
  await stop?.()
  await service.close()
})

it('names every error code in its README', () => {
  for (const code of issuerErrorCodes) expect(readme).toContain(`\`${code}\``)
})
