import assert from 'node:assert/strict'
import type { DeclaredRoute } from '@countersign/express'
import type { ConsumerLike } from '@countersign/guard'
import type { Served } from './serve.ts'

/** What the suite needs of a test framework. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** What a token is to say instead of the usual. */
interface Change {
  readonly sub?: string
  readonly scope?: string
  readonly aud?: string
  readonly iat?: number
  readonly exp?: number
}

interface Sample {
  /** @default the route's own */
  readonly path?: string
  readonly body?: unknown
  /** Whom the token has to be of, where not everybody may call. */
  readonly sub?: string
}

export interface RoutesUnderTest<Scope extends string> {
  readonly consumer: ConsumerLike<Scope>
  readonly routes: readonly DeclaredRoute<Scope>[]
  /** The service, once it runs. */
  readonly served: () => Pick<Served, 'call'>
  token(change?: Change): string
  /** How each route is called as it should be, by `METHOD /path`; a route that is not here fails its test. */
  readonly samples: Readonly<Record<string, () => Promise<Sample>>>
  /** Routes for everybody. @default only GET /healthz */
  readonly open?: readonly string[]
  /** Scopes that no route asks for: they are there to be exchanged. @default none */
  readonly handedOn?: readonly string[]
}

/** Every route of a consumer: no token 401, another audience 401, scope missing 403, its own scope alone 2xx. */
export function describeRoutes<Scope extends string>(
  under: RoutesUnderTest<Scope>,
  { describe, it }: TestRunner,
): void {
  const { consumer, routes, served, token, samples, open = ['GET /healthz'], handedOn = [] } = under
  const every = Object.keys(consumer.scopes)
  const nameOf = ({ method, path }: DeclaredRoute<Scope>): string => `${method} ${path}`

  for (const route of routes.filter(({ scopes }) => scopes !== 'public')) {
    const { method, path, scopes } = route
    const asked: readonly string[] = typeof scopes === 'string' ? [] : scopes
    const call = async (change?: Change) => {
      const sample = samples[nameOf(route)]
      if (sample === undefined) throw new Error(`No sample call of ${nameOf(route)}.`)
      const { path: concrete = path, body, sub } = await sample()
      const presented = change && token({ ...(sub === undefined ? {} : { sub }), ...change })
      return served().call(method, concrete, { token: presented, ...(body === undefined ? {} : { body }) })
    }
    describe(nameOf(route), () => {
      it('answers 401 without a token, and says how to get one', async () => {
        const answer = await call()
        assert.equal(answer.status, 401)
        assert.match(
          answer.headers.get('www-authenticate') ?? '',
          /^Bearer .*\/\.well-known\/oauth-protected-resource/u,
        )
      })

      it('answers 401 to a token for another audience, an expired one, and one that lives too long', async () => {
        assert.equal((await call({ aud: 'somebody-else' })).status, 401)
        assert.equal((await call({ iat: 1000, exp: 1300 })).status, 401)
        const iat = Math.floor(Date.now() / 1000)
        const exp = iat + (consumer.accessTokenLifeSeconds ?? 600) + 1
        assert.equal((await call({ iat, exp })).status, 401)
      })

      if (asked.length > 0) {
        it('answers 403 to a token with every scope but its own', async () => {
          const answer = await call({ scope: every.filter((scope) => !asked.includes(scope)).join(' ') })
          assert.equal(answer.status, 403)
          assert.ok(answer.headers.get('www-authenticate')?.includes(`scope="${asked.join(' ')}"`))
        })
      }

      it('answers 2xx to a token with its scope and no other', async () => {
        const answer = await call({ scope: asked.join(' ') })
        assert.ok(answer.status >= 200 && answer.status < 300, `${answer.status} ${answer.text}`)
      })
    })
  }

  it('asks for every scope of the matrix somewhere, and for a token wherever it should', async () => {
    const asked = new Set(routes.flatMap(({ scopes }) => (typeof scopes === 'string' ? [] : [...scopes])))
    assert.deepEqual([...asked].sort(), every.filter((scope) => !handedOn.includes(scope)).sort())
    assert.deepEqual(
      routes
        .filter(({ scopes }) => scopes === 'public')
        .map(nameOf)
        .sort(),
      [...open].sort(),
    )
  })
}
