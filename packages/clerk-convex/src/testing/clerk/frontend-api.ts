import type { IncomingHttpHeaders } from 'node:http'
import { newId } from './records.ts'
import type { TokenOptions } from './session-claims.ts'
import { ApiFault, type SessionJSON } from './types.ts'
import { found, type World } from './world.ts'

export interface FrontendRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Of a form or of JSON. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface FrontendAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON, or a page if it is text. */
  readonly body: unknown
}

interface FrontendParts {
  readonly world: World
  mint(sessionId: string, options: TokenOptions): string
}

/** What a browser asks of an instance, of which a page needs this much: who is signed in, tokens, organisation, proof, end. */
export interface FrontendApi {
  owns(path: string): boolean
  answer(request: FrontendRequest): FrontendAnswer
}

const cookieName = '__client'
const sessionPath = /^\/v1\/client\/sessions\/(\w+)\/(tokens|touch|verify|end)(?:\/(\w+))?$/

/**
 * The Frontend API, cut down: whoever is named is signed in, by a page at `/sign-in` or by `POST /v1/client/sign_ins`,
 * in a cookie that lasts over reloads and is shared by tabs.
 */
export function frontendApi({ world, mint }: FrontendParts): FrontendApi {
  const clients = new Map<string, Set<string>>()

  const signIn = (identifier: unknown, client: string): SessionJSON => {
    const user = [...world.users.values()].find(({ email_addresses }) =>
      email_addresses.some(({ email_address }) => email_address === identifier),
    )
    if (user === undefined) throw new ApiFault(422, 'form_identifier_not_found')
    const [first] = world.memberships({ userId: user.id })
    const session = world.addSession(user.id, first?.organization.id)
    clients.set(client, new Set([...(clients.get(client) ?? []), session.id]))
    return session
  }
  const sessionsOf = (client: string): readonly SessionJSON[] =>
    [...(clients.get(client) ?? [])].flatMap((id) => {
      const session = world.sessions.get(id)
      return session?.status === 'active' ? [session] : []
    })
  /** As the browser SDK learns of the organisations that there are to choose from. */
  const withUser = (session: SessionJSON): object => {
    const organization_memberships = world.memberships({ userId: session.user_id })
    return { ...session, user: { ...world.users.get(session.user_id), organization_memberships } }
  }
  const page = (redirect: string): string => {
    const buttons = [...world.users.values()].map(({ email_addresses }) => {
      const address = escapeHtml(email_addresses[0]?.email_address ?? '')
      return `<button name="identifier" value="${address}">${address}</button>`
    })
    const target = `<input type="hidden" name="redirect_url" value="${escapeHtml(redirect)}">`
    const head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title>'
    const form = `<form method="post">${target}${buttons.join(' ')}</form>`
    return `<!doctype html><html lang="en">${head}<h1>Sign in at the stand-in for Clerk</h1>${form}</html>`
  }

  const act = (request: FrontendRequest, client: string): unknown => {
    const { method, path, body, headers } = request
    if (method === 'GET' && path === '/v1/client') {
      return { object: 'client', id: client, sessions: sessionsOf(client).map(withUser), sign_in: null, sign_up: null }
    }
    if (method === 'POST' && path === '/v1/client/sign_ins') {
      return { object: 'sign_in_attempt', status: 'complete', created_session_id: signIn(body.identifier, client).id }
    }
    const [, id = '', action, name] = (method === 'POST' ? sessionPath.exec(path) : null) ?? []
    if (action === undefined) throw new ApiFault(404, 'not_found')
    const session = sessionsOf(client).find((one) => one.id === id)
    if (session === undefined) throw new ApiFault(401, 'signed_out')
    if (action === 'verify') return world.proveSession(id)
    if (action === 'end') return world.endSession(id, 'ended')
    if (action === 'touch') return world.chooseOrganization(id, chosen(world, session, body.active_organization_id))
    const { origin } = headers
    const of = name === undefined ? {} : { template: { name, audience: name } }
    return { object: 'token', jwt: mint(id, { ...(origin === undefined ? {} : { origin }), ...of }) }
  }

  return {
    owns: (path) => path === '/sign-in' || path === '/v1/client' || path.startsWith('/v1/client/'),
    answer(request) {
      const { method, path, query, headers, body } = request
      const cors = corsOf(headers.origin)
      if (method === 'OPTIONS') return { status: 204, headers: cors, body: '' }
      const known = readCookie(headers.cookie)
      const client = known !== undefined && clients.has(known) ? known : newId('client')
      // Without `Secure`: loopback has no TLS.
      const cookie = { 'set-cookie': `${cookieName}=${client}; Path=/; HttpOnly; SameSite=Lax` }
      if (path !== '/sign-in') {
        if (!clients.has(client)) clients.set(client, new Set())
        return { status: 200, headers: { ...cors, ...cookie }, body: { response: act(request, client) } }
      }
      const redirect = loopback(method === 'POST' ? body.redirect_url : query.get('redirect_url'))
      if (method === 'GET') return { status: 200, headers: {}, body: page(redirect) }
      signIn(body.identifier, client)
      return { status: 303, headers: { ...cookie, location: redirect }, body: '' }
    },
  }
}

function chosen(world: World, { user_id }: SessionJSON, organizationId: unknown): string | undefined {
  if (typeof organizationId !== 'string' || organizationId === '') return undefined
  return found(world.membership(organizationId, user_id)).organization.id
}

/** Pages are of other origins, and send the cookie along. */
export function corsOf(origin: string | undefined): Readonly<Record<string, string>> {
  if (origin === undefined) return {}
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'content-type',
    'access-control-allow-methods': 'GET, POST',
    vary: 'Origin',
  }
}

function readCookie(header: string | undefined): string | undefined {
  return header
    ?.split(';')
    .map((part) => part.trim().split('='))
    .find(([name]) => name === cookieName)?.[1]
}

/** Pages are sent back to loopback only. */
function loopback(target: unknown): string {
  const url = typeof target === 'string' && URL.canParse(target) ? new URL(target) : undefined
  if (url === undefined || !/^(127\.0\.0\.1|localhost)$/.test(url.hostname))
    throw new ApiFault(400, 'redirect_url_invalid')
  return url.href
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
