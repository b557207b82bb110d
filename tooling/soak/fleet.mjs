// A token service in processes of its own, over one database in a temporary folder.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, openTokenService, resolveConfig } from '@countersign/server'

export const password = 'correct horse battery staple'

const usual = {
  issuer: 'http://127.0.0.1:4600',
  port: 0,
  metrics: false,
  consumers: {
    'agent-api': { scopes: ['agents:read'], obtainedBy: ['sign-in', 'client-credentials'], refresh: 'body' },
  },
}

/**
 * A new installation with the user `ada` and the client `web`.
 * @param {Record<string, unknown>} [change] of the configuration
 */
export async function install(change = {}) {
  const input = { ...usual, ...change }
  const dir = await mkdtemp(join(tmpdir(), 'countersign-soak-'))
  const config = await resolveConfig(input, { baseDir: dir })
  await createDataDir(config)
  const operator = await openTokenService(config)
  await operator.issuer.users.add({ identifier: 'ada', password })
  await operator.issuer.clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
  return {
    config,
    operator,
    /** Starts a process that serves. */
    async serve(port = 0) {
      const child = fork(new URL('./serve.mjs', import.meta.url), [JSON.stringify({ ...input, port }), dir])
      const [{ url }] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => Promise.reject(new Error('the service ended before it listened'))),
      ])
      return { child, url }
    },
    async remove() {
      await operator.close()
      await rm(dir, { recursive: true })
    },
  }
}

/** Ends a service as its supervisor would. @param {import('node:child_process').ChildProcess} child */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
}

/** @param {{ kill(signal: string): unknown, exitCode: number | null, signalCode: string | null }} child */
export async function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** @param {string} url */
export async function signIn(url) {
  const response = await fetch(`${url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'web' }),
  })
  return { status: response.status, ...(await response.json()) }
}

/** @param {string} url @param {Record<string, string>} form */
export async function post(url, form) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, body: await response.json() }
}

/** @param {string} url @param {string} token */
export function refresh(url, token) {
  return post(`${url}/oauth/token`, { grant_type: 'refresh_token', refresh_token: token, client_id: 'web' })
}
