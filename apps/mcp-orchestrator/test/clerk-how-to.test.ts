import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as clerkServer from '@countersign/clerk-convex/server'
import { fakeClerk } from '@countersign/clerk-convex/testing'
import { defineConsumers } from '@countersign/consumers'
import { createDataDir, defineConfig, resolveConfig, startTokenService } from '@countersign/server'
import { createTokenExchanger } from '@countersign/token-source'
import { freePort } from '@countersign-apps/kit/testing'
import { startCoder } from '@countersign-apps/mcp-coder'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, expect, it } from 'vitest'

const page = new URL('../../../docs/how-to/call-mcp-servers-with-a-clerk-session.md', import.meta.url)

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

it('calls an MCP server with a session of Clerk as the how-to says, until its webhook ends it', async () => {
  const clerk = await fakeClerk()
  ends.push(() => clerk.close())
  const folder = await mkdtemp(join(tmpdir(), 'countersign-clerk-how-to-'))
  ends.push(() => rm(folder, { recursive: true, force: true }))
  const issuer = `http://127.0.0.1:${await freePort()}`
  const coderPort = await freePort()
  const environment: Record<string, string> = { CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret }

  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const [consumersCode = '', configCode = '', backendCode = ''] = blocks
  const run = (code: string, names: Record<string, unknown>, result: string) => {
    const changed = code
      .replaceAll(/^import .*$/gm, '')
      .replaceAll(/^export default /gm, 'const config = ')
      .replaceAll(/^export /gm, '')
      .replaceAll(/\(session: string, tool: string, args: .*\) \{$/gm, '(session, tool, args) {')
      .replaceAll('https://auth.example.com', issuer)
      .replaceAll('https://clerk.example.com', clerk.issuer)
      .replaceAll('https://coder.example.com', `http://127.0.0.1:${coderPort}`)
    const all = { ...names, process: { env: environment } }
    return new Function(...Object.keys(all), `${changed}\nreturn ${result}`)(...Object.values(all))
  }

  const consumers = run(consumersCode, { defineConsumers }, 'consumers')
  const config = run(configCode, { ...clerkServer, defineConfig, consumers }, 'config')
  ends.push(() => config.subjectVerifiers[0].verifier.close())
  const { port } = new URL(issuer)
  const resolved = await resolveConfig(
    { ...config, port: Number(port), metrics: false, log: { level: 'silent' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(resolved)
  const service = await startTokenService(resolved)
  ends.push(() => service.close())
  const { client, secret } = await service.issuer.clients.add({
    name: 'web-backend',
    grants: ['token_exchange'],
    audiences: ['mcp-coder'],
  })
  const logDestination = { write: () => {} }
  const coder = await startCoder({ issuer, port: coderPort, workspaces: join(folder, 'workspaces'), logDestination })
  ends.push(() => coder.close())
  await coder.whenReady()
  Object.assign(environment, { CLIENT_ID: client.id, CLIENT_SECRET: secret })
  const names = { createTokenExchanger, Client, StreamableHTTPClientTransport }
  const { askCoder, coderToken } = run(backendCode, names, '{ askCoder, coderToken }')
  ends.push(() => coderToken.close())

  const user = clerk.world.addUser({ email: 'ada@example.com' })
  const organization = clerk.world.addOrganization({ name: 'Acme' })
  clerk.world.setMembership({
    organization,
    user,
    role: 'org:member',
    permissions: ['org:coder:read', 'org:coder:write'],
  })
  const session = clerk.world.addSession(user.id, organization.id)
  const sessionToken = clerk.token(session.id, { lifeSeconds: 600 })
  const written = await askCoder(sessionToken, 'write_file', { path: 'a.txt', text: 'from Clerk' })
  expect(written.isError).not.toBe(true)
  const { structuredContent } = await askCoder(sessionToken, 'read_file', { path: 'a.txt' })
  expect(structuredContent).toMatchObject({ text: 'from Clerk' })
  await expect(askCoder(clerk.token(session.id, { organization: false }), 'read_file', {})).rejects.toThrow()

  clerk.subscribe(`${issuer}/issuers/clerk/events`)
  clerk.world.endSession(session.id, 'ended')
  await clerk.delivered()
  await expect
    .poll(() => askCoder(sessionToken, 'read_file', { path: 'a.txt' }).then(String, () => 'refused'))
    .toBe('refused')
  await expect(coderToken.getToken(clerk.token(session.id))).rejects.toMatchObject({ code: 'grant_refused' })
})
