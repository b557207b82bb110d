import type { IncomingHttpHeaders } from 'node:http'
import type { MachineTokens } from './machine-tokens.ts'
import type { TokenOptions } from './session-claims.ts'
import { ApiFault, type DeletedObjectJSON, type FakeMachine, type TokenJSON } from './types.ts'
import { found, type World } from './world.ts'

export interface ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
}

interface BackendParts {
  readonly world: World
  readonly machines: MachineTokens
  readonly secretKey: string
  jwks(): object
  /** The Backend API's session tokens have no `azp`. */
  mint(sessionId: string, options: TokenOptions): string
}

type Handler = (request: ApiRequest, ...parameters: string[]) => unknown
type Route = readonly [method: string, path: RegExp, handler: Handler]

/** Audience of the JWT template that Clerk's integration with Convex makes. */
const templates: Readonly<Record<string, string>> = { convex: 'convex' }

/** Answers a call as Clerk's Backend API does, or throws an `ApiFault`. */
export function backendApi(parts: BackendParts): (request: ApiRequest) => unknown {
  const routes: readonly Route[] = [
    ['GET', /^\/v1\/jwks$/, () => parts.jwks()],
    [
      'GET',
      /^\/v1\/instance$/,
      () => ({ object: 'instance', id: 'ins_1', environment_type: 'development', allowed_origins: null }),
    ],
    ...userRoutes(parts),
    ...organizationRoutes(parts),
    ...sessionRoutes(parts),
    ...machineRoutes(parts),
  ]
  return (request) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const isMachine = request.path.startsWith('/m2m_tokens') && parts.machines.machineOf(token) !== undefined
    if (token !== parts.secretKey && !isMachine) throw new ApiFault(401, 'clerk_key_invalid')
    for (const [method, path, handler] of routes) {
      const match = method === request.method ? path.exec(request.path) : null
      if (match !== null) return handler(request, ...match.slice(1))
    }
    throw new ApiFault(404, 'not_found')
  }
}

function userRoutes({ world }: BackendParts): readonly Route[] {
  const list = ({ query }: ApiRequest) => {
    const [ids, emails, externalIds] = ['user_id', 'email_address', 'external_id'].map((name) => query.getAll(name))
    const all = [...world.users.values()].filter(
      ({ id, email_addresses, external_id }) =>
        (ids?.length === 0 || ids?.includes(id) === true) &&
        (emails?.length === 0 || email_addresses.some((one) => emails?.includes(one.email_address) === true)) &&
        (externalIds?.length === 0 || externalIds?.includes(external_id ?? '') === true),
    )
    return { all, page: page(all, query) }
  }
  return [
    ['GET', /^\/v1\/users$/, (request) => list(request).page],
    ['GET', /^\/v1\/users\/count$/, (request) => ({ object: 'total_count', total_count: list(request).all.length })],
    ['GET', /^\/v1\/users\/(\w+)$/, (_request, id = '') => found(world.users.get(id))],
    [
      'POST',
      /^\/v1\/users$/,
      ({ body }) => {
        const [email] = Array.isArray(body.email_address) ? body.email_address : []
        if (typeof email !== 'string' || !email.includes('@')) throw new ApiFault(422, 'form_data_missing')
        return world.addUser({
          email,
          ...optional('firstName', body.first_name),
          ...optional('lastName', body.last_name),
          ...optional('externalId', body.external_id),
        })
      },
    ],
    [
      'PATCH',
      /^\/v1\/users\/(\w+)$/,
      ({ body }, id = '') =>
        world.updateUser(id, {
          ...optional('first_name', body.first_name),
          ...optional('last_name', body.last_name),
          ...optional('external_id', body.external_id),
        }),
    ],
    [
      'DELETE',
      /^\/v1\/users\/(\w+)$/,
      (_request, id = '') => {
        world.removeUser(id)
        return { object: 'user', id, deleted: true } satisfies DeletedObjectJSON
      },
    ],
    [
      'GET',
      /^\/v1\/users\/(\w+)\/organization_memberships$/,
      ({ query }, userId = '') => paged(world.memberships({ userId }), query),
    ],
  ]
}

function organizationRoutes({ world }: BackendParts): readonly Route[] {
  const member = (organizationId: string, userId: string, body: ApiRequest['body']) =>
    world.setMembership({
      organization: found(world.organizations.get(organizationId)),
      user: found(world.users.get(userId)),
      role: text(body.role),
      permissions: world.membership(organizationId, userId)?.permissions ?? [],
    })
  return [
    ['GET', /^\/v1\/organizations$/, ({ query }) => paged([...world.organizations.values()], query)],
    [
      'GET',
      /^\/v1\/organizations\/([\w-]+)$/,
      (_request, name = '') =>
        found([...world.organizations.values()].find(({ id, slug }) => id === name || slug === name)),
    ],
    [
      'POST',
      /^\/v1\/organizations$/,
      ({ body }) =>
        world.addOrganization({
          name: text(body.name),
          ...optional('slug', body.slug),
          ...optional('createdBy', body.created_by),
        }),
    ],
    [
      'DELETE',
      /^\/v1\/organizations\/(\w+)$/,
      (_request, id = '') => {
        world.removeOrganization(id)
        return { object: 'organization', id, deleted: true } satisfies DeletedObjectJSON
      },
    ],
    [
      'GET',
      /^\/v1\/organizations\/(\w+)\/memberships$/,
      ({ query }, organizationId = '') => paged(world.memberships({ organizationId }), query),
    ],
    [
      'POST',
      /^\/v1\/organizations\/(\w+)\/memberships$/,
      ({ body }, organizationId = '') => member(organizationId, text(body.user_id), body),
    ],
    [
      'PATCH',
      /^\/v1\/organizations\/(\w+)\/memberships\/(\w+)$/,
      ({ body }, organizationId = '', userId = '') => {
        found(world.membership(organizationId, userId))
        return member(organizationId, userId, body)
      },
    ],
    [
      'DELETE',
      /^\/v1\/organizations\/(\w+)\/memberships\/(\w+)$/,
      (_request, organizationId = '', userId = '') => world.removeMembership(organizationId, userId),
    ],
  ]
}

function sessionRoutes({ world, mint }: BackendParts): readonly Route[] {
  return [
    [
      'GET',
      /^\/v1\/sessions$/,
      ({ query }) => {
        const userId = query.get('user_id')
        return [...world.sessions.values()].filter(({ user_id }) => userId === null || user_id === userId)
      },
    ],
    ['GET', /^\/v1\/sessions\/(\w+)$/, (_request, id = '') => found(world.sessions.get(id))],
    ['POST', /^\/v1\/sessions$/, ({ body }) => world.addSession(text(body.user_id))],
    ['POST', /^\/v1\/sessions\/(\w+)\/revoke$/, (_request, id = '') => world.endSession(id, 'revoked')],
    [
      'POST',
      /^\/v1\/sessions\/(\w+)\/tokens(?:\/(\w+))?$/,
      (_request, id = '', name) => {
        const template = name === undefined ? undefined : { name, audience: found(templates[name]) }
        const jwt = mint(id, { origin: false, ...(template === undefined ? {} : { template }) })
        return { object: 'token', jwt } satisfies TokenJSON
      },
    ],
  ]
}

/** These carry no version in their paths. */
function machineRoutes({ machines }: BackendParts): readonly Route[] {
  const machineOf = ({ headers }: ApiRequest): FakeMachine =>
    found(machines.machineOf(headers.authorization?.slice('Bearer '.length) ?? ''))
  return [
    ['POST', /^\/m2m_tokens$/, (request) => machines.createM2M(machineOf(request), request.body)],
    ['POST', /^\/m2m_tokens\/verify$/, ({ body }) => machines.verifyM2M(body.token)],
    ['POST', /^\/m2m_tokens\/(\w+)\/revoke$/, (_request, id = '') => machines.revokeM2M(id)],
    ['POST', /^\/api_keys$/, ({ body }) => machines.createApiKey(body)],
    ['POST', /^\/api_keys\/verify$/, ({ body }) => machines.verifyApiKey(body.secret)],
    ['POST', /^\/api_keys\/(\w+)\/revoke$/, (_request, id = '') => machines.revokeApiKey(id)],
  ]
}

function page<Item>(items: readonly Item[], query: URLSearchParams): readonly Item[] {
  const offset = Number(query.get('offset') ?? 0)
  return items.slice(offset, offset + Number(query.get('limit') ?? 10))
}

function paged(items: readonly object[], query: URLSearchParams): object {
  return { data: page(items, query), total_count: items.length }
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new ApiFault(422, 'form_param_missing')
  return value
}

function optional<Name extends string>(name: Name, value: unknown): Partial<Record<Name, string>> {
  return typeof value === 'string' ? ({ [name]: value } as Partial<Record<Name, string>>) : {}
}
