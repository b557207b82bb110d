import { readFileSync } from 'node:fs'
import { createGuard, type Guard, type GuardEvent, type IssuerGuardOptions } from '@countersign/guard'
import { betterAuth, oidcProvider, systemClock } from '@countersign/tokens'
import { startBetterAuth } from '@countersign-tooling/issuers/better-auth'
import { startOidcProvider } from '@countersign-tooling/issuers/oidc-provider'
import express, { type Express } from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressAuth } from '../src/index.ts'
import { bearer, serving } from './fixtures.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const example = /## With another issuer[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
const ends: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const end of ends.splice(0)) await end()
})

/** Replaces, and says so if there was nothing to replace: an example that changed must not go untested. */
function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`The example does not hold ${from}`)
  return text.replaceAll(from, to)
}

type Asked = readonly [status: number, said: string, code: string | undefined]

/** Runs the README's app; `ask` gives the status, what was said, and the precise reason out of the guard's events. */
async function running(
  code: string,
  change: Partial<IssuerGuardOptions>,
  use: (ask: (token?: string) => Promise<Asked>) => Promise<void>,
): Promise<void> {
  const guards: Guard[] = []
  const events: GuardEvent[] = []
  const names = {
    // The test listens itself, on a free port.
    express: () => Object.assign(express(), { listen: () => {} }),
    expressAuth,
    betterAuth,
    oidcProvider,
    createGuard: (options: IssuerGuardOptions) => {
      const guard = createGuard({ ...options, ...change, onEvent: (event) => events.push(event) })
      guards.push(guard)
      return guard
    },
  }
  const body = `${code.replaceAll(/^import .*$/gm, '')}\nreturn app`
  const app: Express = new Function(...Object.keys(names), body)(...Object.values(names))
  try {
    await serving(app, (origin) =>
      use(async (token) => {
        const response = await fetch(`${origin}/agents`, token === undefined ? {} : bearer(token))
        const answer = (await response.json()) as { for?: string; error?: string }
        const event = events.at(-1)
        return [
          response.status,
          answer.error ?? answer.for ?? '',
          event !== undefined && 'code' in event ? event.code : undefined,
        ]
      }),
    )
  } finally {
    for (const guard of guards) await guard.close()
  }
}

interface World {
  readonly jwksUrl: string
  readonly code: string
  readonly good: string
  readonly subject: string
  readonly withoutScope: string
  readonly refused: readonly (readonly [code: string, token: string])[]
}

const subjectOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub

async function worldOfBetterAuth(): Promise<World> {
  const issuer = await startBetterAuth()
  const other = await startBetterAuth()
  ends.push(issuer.close, other.close)
  const good = await issuer.userToken()
  const claims = { sub: 'user_1', iat: Math.floor(Date.now() / 1000) }
  return {
    jwksUrl: issuer.jwksUrl,
    code: replaced(example, 'https://app.example.com', issuer.issuer),
    good,
    subject: subjectOf(good),
    withoutScope: await issuer.sign(claims),
    refused: [
      ['wrong_audience', await issuer.sign({ ...claims, aud: 'billing', scope: 'agents:read' })],
      ['wrong_type', await issuer.sign({ ...claims, nonce: 'of an ID token', scope: 'agents:read' })],
      ['unknown_key', await other.userToken()],
    ],
  }
}

async function worldOfOidcProvider(algorithm: 'RS256' | 'EdDSA'): Promise<World> {
  const issuer = await startOidcProvider({ algorithm })
  const other = await startOidcProvider({ algorithm })
  ends.push(issuer.close, other.close)
  const resource = 'urn:example:agent-api'
  const signedIn = await issuer.signIn({ resource, scope: 'agents:read' })
  const named = replaced(example, 'https://app.example.com', issuer.issuer)
  return {
    jwksUrl: issuer.jwksUrl,
    // Its keys are found through its metadata.
    code: replaced(replaced(named, 'profile: betterAuth', 'profile: oidcProvider'), ', jwksUrl,', ','),
    good: signedIn.accessToken,
    subject: 'user_1',
    withoutScope: await issuer.clientToken({ resource, scope: 'agents:write' }),
    refused: [
      ['wrong_audience', await issuer.clientToken({ resource: 'urn:example:billing', scope: 'agents:read' })],
      ['wrong_type', signedIn.idToken],
      ['malformed', await issuer.clientToken()],
      ['unknown_key', await other.clientToken({ resource, scope: 'agents:read' })],
    ],
  }
}

describe.each([
  ['better-auth', worldOfBetterAuth],
  ['oidc-provider, RS256', () => worldOfOidcProvider('RS256')],
  ['oidc-provider, EdDSA', () => worldOfOidcProvider('EdDSA')],
])('an app of ten lines and %s', (_name, start) => {
  let world: World
  beforeAll(async () => {
    world = await start()
  })

  it('admits a user, and tells refusals apart', async () => {
    await running(world.code, {}, async (ask) => {
      expect(await ask(world.good)).toEqual([200, world.subject, undefined])
      for (const [code, token] of world.refused) expect(await ask(token)).toEqual([401, 'invalid_token', code])
      expect(await ask(world.withoutScope)).toEqual([403, 'insufficient_scope', 'insufficient_scope'])
      expect(await ask()).toEqual([401, 'unauthorized', 'no_token'])
    })
  })

  it.each([
    ['expired', 3600],
    ['not_yet_valid', -3600],
  ])('refuses what is %s', async (code, shift) => {
    const clock = { ...systemClock, now: () => systemClock.now() + shift }
    await running(world.code, { clock }, async (ask) => {
      expect(await ask(world.good)).toEqual([401, 'invalid_token', code])
    })
  })

  it('refuses a good token of an issuer that it does not name', async () => {
    await running(world.code, { issuer: 'https://elsewhere.example.com', jwksUrl: world.jwksUrl }, async (ask) => {
      expect(await ask(world.good)).toEqual([401, 'invalid_token', 'wrong_issuer'])
    })
  })
})
