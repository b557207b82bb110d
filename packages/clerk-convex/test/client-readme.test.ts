import { readFileSync } from 'node:fs'
import { ConvexClient } from 'convex/browser'
import { ConvexReactClient } from 'convex/react'
import { createElement } from 'react'
import { jsx, jsxs } from 'react/jsx-runtime'
import { renderToString } from 'react-dom/server'
import { rolldown } from 'rolldown'
import { expect, it, vi } from 'vitest'
import { clerkJs, keepAuthenticated } from '../src/client/index.ts'
import * as react from '../src/react/index.ts'
import { atEnd, clientWorld, pageClerk, soon } from './client-world.ts'
import { api } from './convex/_generated/api.ts'

const [, section = ''] = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split(
  '## Pages that stay signed in\n',
)
const [, page = ''] = /```ts\n(.*?)```/s.exec(section) ?? []
const [, component = ''] = /```tsx\n(.*?)```/s.exec(section) ?? []
const runs = { list: api.projects.list, stop: api.projects.rename }

it('shows a page that is kept signed in', async () => {
  const { clerk, loopback, as, ids } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { sessionId, userId, orgId } = as('ada', 'org_a')
  const { signal } = new AbortController()
  const session = { id: sessionId, getToken: () => source.getToken({ skipCache: true, signal }) }
  const Clerk = {
    loaded: true,
    session,
    user: { id: userId },
    organization: { id: orgId },
    addListener: () => () => {},
  }
  class Client extends ConvexClient {
    constructor(_url: string) {
      super(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
    }
  }
  const banner = vi.fn()
  const show = vi.fn()
  const names = { clerkJs, keepAuthenticated, ConvexClient: Client, window: { Clerk }, banner, show, api: { runs } }
  const code = page.replaceAll(/^import .*$/gm, '').replace('{ id }', "{ id, name: 'stopped' }")
  const run = new Function(...Object.keys(names), 'id', `return (async () => { ${code}\nreturn { client, auth } })()`)
  const { client, auth } = await run(...Object.values(names), ids.projectA)
  atEnd(() => client.close())
  atEnd(() => auth.close())
  await vi.waitFor(
    () => expect(show).toHaveBeenLastCalledWith([expect.objectContaining({ name: 'stopped' })], expect.anything()),
    soon,
  )
  expect(banner).toHaveBeenLastCalledWith('signed-in')
})

it('shows a provider for React', async () => {
  const built = await rolldown({
    input: 'readme.tsx',
    external: /./,
    plugins: [
      {
        name: 'readme',
        resolveId: (source) => (source === 'readme.tsx' ? source : null),
        load: (id) => (id === 'readme.tsx' ? { code: component, moduleType: 'tsx' } : null),
      },
    ],
  })
  const { output } = await built.generate({ format: 'esm' })
  await built.close()
  const code = output[0].code.replaceAll(/^import .*$/gm, '').replaceAll(/^export .*$/gm, '')
  const convex = new ConvexReactClient('https://app.convex.cloud')
  const useAuth: react.UseClerkAuth = () => ({ isLoaded: false, getToken: async () => null })
  const names = { ...react, jsx, jsxs, useAuth, convex, api: { runs }, id: 'run', tell() {} }
  const App = new Function(...Object.keys(names), `${code}\nreturn App`)(...Object.values(names))
  expect(renderToString(createElement(App))).toBe('<button disabled="">Stop</button>')
})
