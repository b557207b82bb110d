import { once } from 'node:events'
import { createServer } from 'node:http'
import { type ConvexLoopback, convexLoopback, type FakeClerk, fakeClerk } from '@countersign/clerk-convex/testing'
import { convexTest } from 'convex-test'
import express from 'express'
import { setDeployment } from '../config.ts'
import { serveControls } from './controls.ts'
import { loadAuthConfig, loadFunctions, loadSchema } from './load-functions.ts'
import { servePage } from './page.ts'
import { addPeople } from './people.ts'

export interface StandOptions {
  /** Of the page, on 127.0.0.1. @default any that is free */
  readonly port?: number
  /** Life of a session token, which is how long a page goes on without Clerk. @default 60, as Clerk's */
  readonly tokenLifeSeconds?: number
}

/** The whole app on loopback: stand-ins for Clerk and for Convex, and the page. */
export interface Stand {
  /** Of the page. */
  readonly url: string
  readonly clerk: FakeClerk
  readonly convex: ConvexLoopback
  close(): Promise<void>
}

let isStarted = false

/** @throws Error the second time: functions read the settings of their deployment once, when they are loaded */
export async function startStand({ port = 0, tokenLifeSeconds = 60 }: StandOptions = {}): Promise<Stand> {
  if (isStarted) throw new Error('This process has a stand already.')
  isStarted = true
  const app = express()
  const server = createServer(app)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`
  const clerk = await fakeClerk({ sessionAudience: 'convex', tokenLifeSeconds })
  setDeployment({
    CLERK_ISSUER: clerk.issuer,
    CLERK_JWKS: JSON.stringify(clerk.jwks),
    CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret,
    RUNBOARD_ORIGIN: url,
  })
  const modules = await loadFunctions()
  const t = convexTest({ schema: await loadSchema(), modules: { ...modules } })
  const convex = await convexLoopback(t, { auth: await loadAuthConfig(), modules })
  setDeployment({ CONVEX_CLOUD_URL: convex.url, CONVEX_SITE_URL: convex.siteUrl })
  clerk.subscribe(`${convex.siteUrl}/auth/webhook`)
  await addPeople(clerk, convex.url)
  servePage(app, () => ({ convexUrl: convex.url, siteUrl: convex.siteUrl, clerkUrl: clerk.issuer }))
  serveControls(app, clerk, () => url)

  return {
    url,
    clerk,
    convex,
    async close() {
      server.closeAllConnections()
      await Promise.all([new Promise((done) => server.close(done)), convex.close(), clerk.close()])
    },
  }
}
