import express from 'express'
import { expect, it } from 'vitest'
import { makeToken, serving } from './fixtures.ts'
import { buildV2, call, rpc } from './worlds.ts'

it.each([
  ['with', true],
  ['without', false],
])('sits in an Express app, %s a body parser before it', async (_how, parses) => {
  await serving(
    async (origin) => {
      const http = await buildV2().http({ resource: `${origin}/api/mcp`, anonymous: true })
      const app = express()
      if (parses) app.use(express.json())
      app.get('/healthz', (_request, response) => void response.send('ok'))
      app.use(http.node)
      app.use((_request, response) => void response.status(404).send('elsewhere'))
      return app
    },
    async (origin) => {
      const url = `${origin}/api/mcp`
      expect((await rpc(url, makeToken(), call('read'))).body.result.content[0].text).toBe('read')
      expect((await rpc(url, makeToken(), call('write', { path: 'a' }))).status).toBe(403)
      expect(await (await fetch(`${origin}/healthz`)).text()).toBe('ok')
      expect(await (await fetch(`${origin}/other`)).text()).toBe('elsewhere')
      expect((await fetch(`${origin}/.well-known/oauth-protected-resource/api/mcp`)).status).toBe(200)
    },
  )
})
