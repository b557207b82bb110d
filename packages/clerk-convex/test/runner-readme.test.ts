import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { anyApi, defineSchema, httpRouter } from 'convex/server'
import { expect, it } from 'vitest'
import { authTables, defineAuth, runnerTables } from '../src/convex/index.ts'
import * as node from '../src/node/runner/index.ts'
import * as runner from '../src/runner/index.ts'
import { clerkVerifier } from '../src/server/index.ts'
import { inTime, runnerWorld, temporaryFolder, until } from './runner-world.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const [, section = ''] = readme.split('## Local runners\n')
const [runnerSide = '', convexSide = '', serverSide = ''] = [...section.matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code = '']) => code,
)

function run(code: string, names: Record<string, unknown>, result: string): Promise<unknown> {
  const body = stripTypeScriptTypes(code.replaceAll(/^import .*$/gm, '').replaceAll(/^export /gm, ''))
  return new Function(...Object.keys(names), `return (async () => { ${body}\nreturn ${result} })()`)(
    ...Object.values(names),
  )
}

it('shows a runner that is paired and works', async () => {
  const world = await runnerWorld()
  const folder = await temporaryFolder()
  const fileKeyStore: typeof node.fileKeyStore = (path) => node.fileKeyStore(path, { onWarning: () => {} })
  const pairRunner: typeof node.pairRunner = (options) => node.pairRunner({ ...options, clock: world.clock })
  const runnerFetch: typeof node.runnerFetch = (options) => node.runnerFetch({ ...options, clock: world.clock })
  const logged: string[] = []
  const names = {
    fileKeyStore,
    pairRunner,
    runnerFetch,
    keyFile: join(folder, 'key'),
    console: { log: (line: string) => logged.push(line) },
  }
  const code = runnerSide.replace('https://app.convex.site/runner', world.url)
  const works = run(code, names, 'response.status')
  await until(() => world.clock.timers > 0)
  const [, userCode = ''] = /^Type (\S+) in at https:\/\/app\.example\.com\/pair$/.exec(logged[0] ?? '') ?? []
  await world.runners.approve(world.ada, userCode, 'ws_1')
  expect(await inTime(world.clock, works)).toBe(200)
})

it('shows runners of a Convex app', async () => {
  const schema = defineSchema({ ...authTables, ...runnerTables })
  const roles = { admin: ['run:start', 'runner:pair', 'runner:end'] } as const
  const issuer = 'https://clerk.example.com'
  const auth = defineAuth({ schema, tenants: {}, roles, identities: { clerkIssuer: issuer } })
  const http = httpRouter()
  const names = { auth, clerkVerifier, issuer, http, internal: anyApi, process: { env: {} } }
  expect(await run(convexSide, names, 'Object.keys(runners.functions)')).toEqual([
    'step',
    'lookUp',
    'approve',
    'deny',
    'list',
    'endTokens',
    'revoke',
  ])
  expect(http.getRoutes().map(([path, method]) => `${method} ${path}`)).toEqual(['POST /jobs/take', 'POST /runner/*'])
})

it('shows the other side', async () => {
  const { options } = await runnerWorld()
  const answer = (await run(serverSide, { ...runner, ...options }, 'answer')) as (request: Request) => Promise<Response>
  expect((await answer(new Request('https://app.convex.site/runner/token'))).status).toBe(400)
  expect((await answer(new Request('https://app.convex.site/jobs'))).status).toBe(401)
})
