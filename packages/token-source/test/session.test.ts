import { testClock } from '@countersign-tooling/clock'
import { describe, expect, it } from 'vitest'
import { createTokenSource, type StoredTokens, type TokenStore } from '../src/index.ts'
import { type ScriptedServer, scriptedServer, send } from './scripted-server.ts'

/** Refresh tokens that are spent once, as RFC 9700 section 4.14 wants it. */
async function rotatingServer(): Promise<ScriptedServer & { live: string }> {
  const server = await scriptedServer()
  let turn = 0
  const rotating = Object.assign(server, { live: 'refresh-0' })
  server.reply = ({ form }, response) => {
    if (form.get('refresh_token') !== rotating.live) return send(response, 400, { error: 'invalid_grant' })
    turn += 1
    rotating.live = `refresh-${turn}`
    const tokens = {
      access_token: `access-${turn}`,
      token_type: 'Bearer',
      expires_in: 600,
      refresh_token: rotating.live,
    }
    return send(response, 200, tokens)
  }
  return rotating
}

interface MemoryStore extends TokenStore {
  held: StoredTokens | undefined
}

function memoryStore(held: StoredTokens | undefined = { refreshToken: 'refresh-0' }): MemoryStore {
  const store: MemoryStore = {
    held,
    load: async () => store.held,
    async save(tokens) {
      store.held = tokens
    },
  }
  return store
}

function sourceOf(server: ScriptedServer, store: TokenStore, clock = testClock()) {
  const client = { id: 'countersign-cli' }
  const grant = { type: 'refresh_token', store } as const
  return { clock, source: createTokenSource({ issuer: server.issuer, client, grant, clock, patienceMs: 0 }) }
}

describe('a session', () => {
  it('spends each refresh token once, and stores the next before it hands out what came with it', async () => {
    const server = await rotatingServer()
    const store = memoryStore()
    const { source, clock } = sourceOf(server, store)
    expect(await source.getToken()).toBe('access-1')
    expect(store.held).toEqual({ refreshToken: 'refresh-1', accessToken: 'access-1', expiresAt: clock.now() + 600 })
    await clock.pass(601)
    expect(await source.getToken()).toBe('access-2')
    expect(server.asked.map(({ form }) => form.get('refresh_token'))).toEqual(['refresh-0', 'refresh-1'])
    expect(server.asked[0]?.form.get('client_id')).toBe('countersign-cli')
    source.close()
  })

  it("takes over another process's token while it lives", async () => {
    const server = await rotatingServer()
    const store = memoryStore()
    const { source, clock } = sourceOf(server, store)
    await source.getToken()
    const other = sourceOf(server, store, clock).source
    expect(await other.getToken()).toBe('access-1')
    expect(server.asked).toHaveLength(1)
    await clock.pass(6)
    expect(await other.getToken({ reason: 'rejected', token: 'access-1' })).toBe('access-2')
    source.close()
    other.close()
  })

  it('goes on when another process has spent its refresh token meanwhile', async () => {
    const server = await rotatingServer()
    const store = memoryStore()
    const { source } = sourceOf(server, store)
    let reads = 0
    const late = sourceOf(server, {
      async load() {
        reads += 1
        return reads === 1 ? { refreshToken: 'refresh-0' } : { refreshToken: store.held?.refreshToken ?? '' }
      },
      save: store.save,
    }).source
    await source.getToken()
    expect(await late.getToken()).toBe('access-2')
    source.close()
    late.close()
  })

  it('of many processes with a lock refreshes once', async () => {
    const server = await rotatingServer()
    let last: Promise<unknown> = Promise.resolve()
    const store: TokenStore = {
      ...memoryStore(),
      exclusive<T>(work: () => Promise<T>): Promise<T> {
        const run = last.then(work, work)
        last = run
        return run
      },
    }
    const sources = Array.from({ length: 20 }, () => sourceOf(server, store).source)
    const tokens = await Promise.all(sources.map((source) => source.getToken()))
    expect(new Set(tokens)).toEqual(new Set(['access-1']))
    expect(server.asked).toHaveLength(1)
    for (const source of sources) source.close()
  })

  it('keeps its refresh token where the server does not rotate', async () => {
    const server = await scriptedServer()
    const store = memoryStore()
    await sourceOf(server, store).source.getToken()
    expect(store.held).toMatchObject({ refreshToken: 'refresh-0', accessToken: 'token-1' })
  })

  it('that has ended says so, and loses nothing', async () => {
    const server = await rotatingServer()
    const store = memoryStore({ refreshToken: 'stolen' })
    await expect(sourceOf(server, store).source.getToken()).rejects.toMatchObject({ code: 'grant_refused' })
    expect(store.held).toEqual({ refreshToken: 'stolen' })
    expect(server.asked).toHaveLength(1)
  })

  it('of nobody says so', async () => {
    const server = await rotatingServer()
    const { source } = sourceOf(server, memoryStore(undefined))
    const store = memoryStore()
    store.held = undefined
    await expect(sourceOf(server, store).source.getToken()).rejects.toMatchObject({ code: 'no_refresh_token' })
    expect(await source.getToken()).toBe('access-1')
  })

  it.each(['load', 'save'] as const)('whose store cannot %s fails, with the cause', async (method) => {
    const server = await rotatingServer()
    const cause = new Error('disk full')
    const store = { ...memoryStore(), [method]: () => Promise.reject(cause) }
    await expect(sourceOf(server, store).source.getToken()).rejects.toMatchObject({ code: 'store_failed', cause })
  })
})
