import { createGuard } from '@countersign/guard'
import { TokenRejected } from '@countersign/tokens'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { describe, expect, it } from 'vitest'
import { expressAuth, expressAuthErrorCodes, expressAuthRemedies, isExpressAuthError } from '../src/index.ts'
import { bearer, makeGuard, makeToken, serving } from './fixtures.ts'

const metadataUrl = 'https://api.example.com/.well-known/oauth-protected-resource/v1'

/** What reaches the app's error handler, which answers 500. */
function faultsOf(app: Express): readonly unknown[] {
  const seen: unknown[] = []
  const failed: ErrorRequestHandler = (error, _req, res, _next) => {
    seen.push(error)
    res.status(500).end()
  }
  app.use(failed)
  return seen
}

function makeApp() {
  const auth = expressAuth(makeGuard(), { realm: 'agents' })
  const app = express()
  const seen: unknown[] = []
  app.get('/agents', auth.requireScope('agents:read'), (req, res) => {
    res.json({ for: auth.principal(req).subject })
  })
  app.post('/agents', auth.requireScope('agents:read', 'agents:write'), (_req, res) => res.status(201).end())
  app.get('/whoami', auth.requireToken(), (req, res) => {
    res.json({ for: auth.principal(req).subject })
  })
  app.get('/forgotten', (req, res) => {
    res.json({ for: auth.principal(req).subject })
  })
  app.get('/faulty', auth.requireToken(), async () => {
    throw new Error('disk on fire')
  })
  const failed: ErrorRequestHandler = (error, _req, res, _next) => {
    seen.push(error)
    res.status(500).json({ error: 'server_error' })
  }
  app.use(failed)
  return { app, seen }
}

describe('requireScope', () => {
  it('lets a token with the scopes through, and says for whom', async () => {
    await serving(makeApp().app, async (origin) => {
      const response = await fetch(`${origin}/agents`, bearer(makeToken()))
      expect([response.status, await response.json()]).toEqual([200, { for: 'user_1' }])
    })
  })

  it('answers refusals by RFC 6750, with nothing of the request in them', async () => {
    await serving(makeApp().app, async (origin) => {
      const answer = async (init: RequestInit, path = '/agents?q=needle') => {
        const response = await fetch(`${origin}${path}`, init)
        expect(response.headers.get('cache-control')).toBe('no-store')
        expect(response.headers.get('content-type')).toMatch(/^application\/json/)
        const text = await response.text()
        const challenge = response.headers.get('www-authenticate')
        expect(`${challenge}${text}`).not.toMatch(/needle|eyJ|user_1/)
        return [response.status, challenge, JSON.parse(text)]
      }
      const tail = `scope="agents:read", resource_metadata="${metadataUrl}"`
      expect(await answer({})).toEqual([
        401,
        `Bearer realm="agents", ${tail}`,
        { error: 'unauthorized', error_description: 'An access token is needed' },
      ])
      expect(await answer(bearer(makeToken({ aud: 'billing-worker' })))).toEqual([
        401,
        `Bearer realm="agents", error="invalid_token", error_description="The access token is not accepted", ${tail}`,
        { error: 'invalid_token', error_description: 'The access token is not accepted' },
      ])
      const expired = await answer(bearer(makeToken({ iat: 1_000, exp: 1_600 })))
      expect(expired.slice(0, 2)).toEqual([401, expect.stringContaining('The access token expired')])
      const twice = await answer(bearer('a, Bearer b'))
      expect(twice.slice(0, 2)).toEqual([400, expect.stringContaining('error="invalid_request"')])
      const inUrl = await answer(bearer(makeToken()), '/agents?access_token=x')
      expect(inUrl[0]).toBe(400)
    })
  })

  it('names every scope of the route when one is missing', async () => {
    await serving(makeApp().app, async (origin) => {
      const response = await fetch(`${origin}/agents`, { method: 'POST', ...bearer(makeToken()) })
      expect(response.status).toBe(403)
      expect(response.headers.get('www-authenticate')).toContain(
        'error="insufficient_scope", error_description="The access token lacks a scope", scope="agents:read agents:write"',
      )
    })
  })

  it('answers 503 with Retry-After when keys cannot be had', async () => {
    const verifier = { verify: () => Promise.reject(new TokenRejected('keys_unavailable', 'x')) }
    const app = express().get('/x', expressAuth(createGuard({ verifier })).requireToken(), (_req, res) => res.end())
    await serving(app, async (origin) => {
      const response = await fetch(`${origin}/x`, bearer('a'))
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
      expect(response.headers.get('www-authenticate')).toBeNull()
    })
  })

  it("hands a fault to the app's error handler, never to the caller as a bad token", async () => {
    const fault = new Error('disk on fire')
    const verifier = { verify: () => Promise.reject(fault) }
    const app = express().get('/x', expressAuth(createGuard({ verifier })).requireToken(), (_req, res) => res.end())
    const seen = faultsOf(app)
    await serving(app, async (origin) => {
      expect((await fetch(`${origin}/x`, bearer('a'))).status).toBe(500)
      expect(seen).toEqual([fault])
    })
  })

  const thrown = [undefined, null, '', 'route', 'router', new Error('disk on fire')]
  it.each(thrown)('lets nobody through where the guard throws %s', async (cause) => {
    const throwing = (): never => {
      throw cause
    }
    const guards = [
      { ...makeGuard(), admit: async () => throwing() },
      { ...makeGuard(), admit: throwing },
      { ...makeGuard(), admitNow: throwing },
    ]
    for (const guard of guards) {
      const app = express().use(expressAuth(guard).requireToken())
      app.get('/x', (_req, res) => res.end('reached'))
      const seen = faultsOf(app)
      await serving(app, async (origin) => {
        expect((await fetch(`${origin}/x`, bearer('a'))).status).toBe(500)
        expect(seen).toEqual([cause instanceof Error ? cause : expect.objectContaining({ cause })])
        expect(seen[0]).toBeInstanceOf(Error)
      })
    }
  })

  it('adds nothing to an answer that was given while it waited', async () => {
    const app = express()
    app.use((_req, res, next) => {
      next()
      res.status(504).end('too late')
    })
    app.get('/x', expressAuth(makeGuard()).requireToken(), (_req, res) => res.end())
    const seen: unknown[] = []
    const failed: ErrorRequestHandler = (error, _req, _res, _next) => void seen.push(error)
    app.use(failed)
    await serving(app, async (origin) => {
      const response = await fetch(`${origin}/x`, bearer('a.b.c'))
      expect([response.status, await response.text()]).toEqual([504, 'too late'])
      expect(seen).toEqual([])
    })
  })

  it('asks whoever wraps the guard, also about a token that the guard knows', async () => {
    const guard = makeGuard()
    const token = makeToken()
    expect((await guard.admit({ token })).admitted).toBe(true)
    const admit = async () => ({ admitted: false, code: 'revoked' }) as const
    const auth = expressAuth({ ...guard, admit })
    const app = express().get('/x', auth.requireToken(), (_req, res) => res.end())
    await serving(app, async (origin) => {
      expect((await fetch(`${origin}/x`, bearer(token))).status).toBe(401)
    })
  })

  it('decides on a token that comes again as on one that comes first, and faults too', async () => {
    const fault = new Error('disk on fire')
    let answer = (): boolean => false
    const guard = makeGuard({ revocations: { isRevoked: () => answer(), onChange: () => () => {} } })
    const auth = expressAuth(guard)
    const app = express().get('/x', auth.requireToken(), (req, res) => res.end(auth.principal(req).subject))
    const seen = faultsOf(app)
    const token = makeToken()
    await serving(app, async (origin) => {
      const status = async (): Promise<number> => (await fetch(`${origin}/x`, bearer(token))).status
      expect([await status(), await status()]).toEqual([200, 200])
      answer = () => true
      expect(await status()).toBe(401)
      answer = () => {
        throw fault
      }
      expect(await status()).toBe(500)
      expect(seen).toEqual([fault])
      await guard.close()
      expect(await status()).toBe(500)
      expect(seen).toEqual([fault, expect.objectContaining({ code: 'closed' })])
    })
  })

  it('lets an error of an asynchronous handler reach the error handler', async () => {
    const { app, seen } = makeApp()
    await serving(app, async (origin) => {
      expect((await fetch(`${origin}/faulty`, bearer(makeToken()))).status).toBe(500)
      expect(seen).toEqual([new Error('disk on fire')])
    })
  })

  it('is refused where it is set up with a scope that is not there, or none', () => {
    const auth = expressAuth(makeGuard())
    // @ts-expect-error the consumer has no such scope
    expect(() => auth.requireScope('agents:wirte')).toThrow(expect.objectContaining({ code: 'unknown_scope' }))
    // @ts-expect-error no scope at all
    expect(() => auth.requireScope()).toThrow(expect.objectContaining({ code: 'no_scope' }))
  })

  it.each(['', ' ', 'a b', 'a"b', 'a\\b', 'é', 'a\n'])('is refused %j, which is not one scope', (scope) => {
    const verifier = { verify: () => Promise.reject(new Error('never asked')) }
    const auth = expressAuth(createGuard({ verifier }))
    expect(() => auth.requireScope('a:x', scope)).toThrow(expect.objectContaining({ code: 'unknown_scope' }))
    expect(() => auth.requireScope('a:x', 'x-._~!#[]')).not.toThrow()
  })
})

describe('requireToken', () => {
  it.each(['agents:read', ['agents:read'], null])('takes no scopes: %j', (scopes) => {
    // Without types, that would ask for any token.
    expect(() => expressAuth(makeGuard()).requireToken(scopes as never)).toThrow(
      expect.objectContaining({ code: 'bad_access' }),
    )
  })
})

describe('principal', () => {
  it('throws on a route that asked for no token, though one was sent', async () => {
    const { app, seen } = makeApp()
    await serving(app, async (origin) => {
      expect((await fetch(`${origin}/forgotten`, bearer(makeToken()))).status).toBe(500)
      expect(seen).toEqual([expect.objectContaining({ name: 'ExpressAuthError', code: 'unguarded_route' })])
      expect(seen[0]).toMatchObject({ message: 'No token was asked for on GET /forgotten.' })
      expect(isExpressAuthError(seen[0])).toBe(true)
    })
  })

  it('is not mixed up between requests, or between two guards', async () => {
    const [one, other] = [expressAuth(makeGuard()), expressAuth(makeGuard())]
    const app = express()
    app.get('/one', one.requireToken(), (req, res) => {
      res.json({ one: one.principal(req).subject })
    })
    app.get('/other', one.requireToken(), (req, res) => {
      expect(() => other.principal(req)).toThrow()
      res.end()
    })
    await serving(app, async (origin) => {
      const subjects = Array.from({ length: 20 }, (_, index) => `user_${index}`)
      const answers = await Promise.all(
        subjects.map(async (sub) => (await fetch(`${origin}/one`, bearer(makeToken({ sub })))).json()),
      )
      expect(answers).toEqual(subjects.map((one) => ({ one })))
      expect((await fetch(`${origin}/other`, bearer(makeToken()))).status).toBe(200)
    })
  })
})

describe('metadata', () => {
  const app = () => express().use(expressAuth(makeGuard()).metadata())

  it.each(['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/v1'])(
    'is answered at %s to anybody',
    async (path) => {
      await serving(app(), async (origin) => {
        const response = await fetch(origin + path)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toMatch(/^application\/json/)
        expect(response.headers.get('access-control-allow-origin')).toBe('*')
        expect(await response.json()).toEqual({
          resource: 'https://api.example.com/v1',
          authorization_servers: ['https://auth.example.com'],
          scopes_supported: ['agents:read', 'agents:write', 'chat:write'],
          bearer_methods_supported: ['header'],
        })
        expect((await fetch(origin + path, { method: 'HEAD' })).status).toBe(200)
        const post = await fetch(origin + path, { method: 'POST' })
        expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
        const asked = {
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'mcp-protocol-version',
        }
        const preflight = await fetch(origin + path, { method: 'OPTIONS', headers: { origin: 'null', ...asked } })
        expect(preflight.status).toBe(204)
        expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
        expect(preflight.headers.get('access-control-allow-headers')).toBe('*')
        expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, HEAD')
      })
    },
  )

  it('leaves other paths alone', async () => {
    await serving(app(), async (origin) => {
      expect((await fetch(`${origin}/.well-known/oauth-protected-resource/v2`)).status).toBe(404)
    })
  })

  it('stops the start where the guard does not know its resource', () => {
    const guard = createGuard({ verifier: { verify: () => Promise.reject(new Error('never asked')) } })
    expect(() => expressAuth(guard).metadata()).toThrow(expect.objectContaining({ code: 'no_resource' }))
  })
})

it('stops the start on a realm that cannot stand in a header', () => {
  expect(() => expressAuth(makeGuard(), { realm: 'a"b' })).toThrow(expect.objectContaining({ code: 'bad_option' }))
})

it('names a remedy for every error', () => {
  expect(Object.keys(expressAuthRemedies).sort()).toEqual([...expressAuthErrorCodes].sort())
  expect(isExpressAuthError(new Error('x'))).toBe(false)
})
