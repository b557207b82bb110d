import { readFileSync } from 'node:fs'
import { Problem, pageHeaders, type RouteContext, styleSheet } from '@countersign-apps/kit'
import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import type { Context } from '../context.ts'
import { findSessions, readKeys, rethrow } from '../desk.ts'
import type { Child } from '../html.ts'
import { reason } from '../reason.ts'
import { revokeSession } from '../revoke-session.ts'
import type { Scope } from '../scopes.ts'
import { consumersSection } from '../views/consumers.ts'
import { type ActedFor, conversationsSection, helpSection } from '../views/help.ts'
import { keysSection } from '../views/keys.ts'
import { layout } from '../views/layout.ts'
import { revocationSection } from '../views/revocation.ts'
import { sessionsSection } from '../views/sessions.ts'
import { signInPage } from '../views/sign-in.ts'
import { type PageCookie, pageCookie } from './cookie.ts'
import type { EventStreams } from './event-streams.ts'
import { ownForm } from './forms.ts'
import { NotSignedIn, type Operator, operatorOf } from './operator.ts'

/** Who may ask for a part of the page: anybody, whoever is signed in, or who has a scope. */
export interface DeclaredPage {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly access: 'anybody' | 'operator' | Scope
}

const text = (longest: number) => z.string().min(1).max(longest)
const signInForm = z.object({ name: text(254), password: text(4_096) })
const revokeForm = z.object({ session: text(64), reason, q: z.string().max(254).default('') })
const helpForm = z.object({ reason })
const homeQuery = z.object({ q: z.string().trim().max(254).default(''), revocation: z.string().max(64).default('') })

type Show = (asked: { readonly req: Request; readonly res: Response; readonly operator: Operator }) => Promise<void>

/** The page: rendered here, with a cookie that stands for tokens which never leave this process. */
export function pageRoutes(
  { router }: Pick<RouteContext<Scope>, 'router'>,
  context: Context,
  { streams, isSecure }: { readonly streams: EventStreams; readonly isSecure: boolean },
): readonly DeclaredPage[] {
  const { guard, operators, board, help, delegation, issuer, rings, clock, origins, onFault } = context
  const cookie = pageCookie(isSecure)
  const pages: DeclaredPage[] = []
  const form = ownForm(origins)
  const see = { guard, operators, cookie }

  function page(method: 'GET' | 'POST', path: string, access: 'operator' | Scope, show: Show): void {
    pages.push({ method, path, access })
    const scopes = access === 'operator' ? [] : [access]
    const handler: RequestHandler = async (req, res) => {
      const operator = await operatorOf(see, req, scopes)
      await show({ req, res, operator })
    }
    declare(method, path, method === 'POST' ? form : [], handler)
  }
  function declare(
    method: 'GET' | 'POST',
    path: string,
    before: readonly RequestHandler[],
    handler: RequestHandler,
  ): void {
    // Each is public to the router: who may see it is decided by the operator's own token, here.
    const answered = [securityHeaders, ...before, handler].map((one) => withPageErrors(one, cookie, onFault))
    const [first = securityHeaders, ...others] = answered
    router[method === 'GET' ? 'get' : 'post'](path, 'public', first, ...others)
  }

  async function showHome(
    { req, res, operator }: Parameters<Show>[0],
    more: { readonly acted?: ActedFor; readonly problem?: Problem } = {},
  ): Promise<void> {
    const now = clock.now()
    const may = (scope: Scope): boolean => guard.permits(operator.principal, [scope])
    const { q, revocation: revocationId } = homeQuery.safeParse({ ...req.query }).data ?? { q: '', revocation: '' }
    const sections: Child[] = []
    if (may('sessions:read')) {
      const revocation = board.get(revocationId)
      if (revocation !== undefined) sections.push(revocationSection(revocation))
    }
    if (more.acted !== undefined) sections.push(conversationsSection(more.acted))
    if (may('sessions:read')) {
      const found = q === '' ? undefined : await findSessions(issuer, q).catch(problemOf)
      const problem = found instanceof Problem ? found.message : undefined
      const sessions = found instanceof Problem ? undefined : found
      const mayRevoke = may('sessions:revoke')
      sections.push(sessionsSection({ wanted: q, found: sessions, problem, mayRevoke, now }))
    }
    if (may('help:answer')) sections.push(helpSection(help.list(), now))
    if (may('keys:read')) {
      sections.push(keysSection(rings, await readKeys(rings), now))
      sections.push(consumersSection(await issuer.acknowledgements().catch(rethrow), now))
    }
    const { problem } = more
    const notice = problem === undefined ? {} : ({ notice: { tone: 'bad', text: problem.message } } as const)
    res.status(problem?.status ?? 200)
    res.type('html').send(layout({ title: 'Support console', name: operator.name, content: sections, ...notice }))
  }

  page('GET', '/', 'operator', (asked) => showHome(asked))

  pages.push({ method: 'POST', path: '/sign-in', access: 'anybody' })
  declare('POST', '/sign-in', form, async (req, res) => {
    const given = signInForm.safeParse(req.body)
    if (!given.success) throw new Problem('invalid_request', 'Name and password are needed.')
    const { name, password } = given.data
    const before = cookie.read(req)
    const outcome = await operators.signIn(name, password, req.ip)
    if ('refused' in outcome) {
      const { status, words } = refusals[outcome.refused]
      if (outcome.refused === 'throttled') res.set('Retry-After', String(outcome.retryAfterSeconds))
      res
        .status(status)
        .type('html')
        .send(signInPage({ problem: words, name }))
      return
    }
    // Another value at each sign-in: nobody can have set it before.
    if (before !== undefined) await operators.signOut(before).catch(onFault)
    cookie.set(res, outcome.cookie)
    res.redirect(303, '/')
  })

  pages.push({ method: 'POST', path: '/sign-out', access: 'anybody' })
  declare('POST', '/sign-out', form, async (req, res) => {
    const value = cookie.read(req)
    cookie.clear(res)
    if (value !== undefined) await operators.signOut(value).catch(rethrow)
    res.redirect(303, '/')
  })

  page('POST', '/page/revoke', 'sessions:revoke', async (asked) => {
    const { req, res, operator } = asked
    const given = revokeForm.safeParse(req.body)
    if (!given.success) return await showHome(asked, { problem: badForm(given.error) })
    const { session, reason: why, q } = given.data
    const operatorId = operator.principal.subject
    const revoked = await revokeSession(context, { session, operator: operatorId, reason: why }).catch(problemOf)
    if (revoked instanceof Problem) return await showHome(asked, { problem: revoked })
    res.redirect(303, `/?${new URLSearchParams({ q, revocation: revoked.id })}`)
  })

  page('GET', '/page/revocations/:id/events', 'sessions:read', async ({ req, res, operator }) => {
    streams.open(res, operator.principal, String(req.params.id))
  })

  page('POST', '/page/help/:id', 'help:answer', async (asked) => {
    const { req, operator } = asked
    const given = helpForm.safeParse(req.body)
    if (!given.success) return await showHome(asked, { problem: badForm(given.error) })
    const why = given.data.reason
    const acted = await actFor(String(req.params.id), operator.token, why).catch(problemOf)
    return await showHome(asked, acted instanceof Problem ? { problem: acted } : { acted })
  })

  async function actFor(id: string, operatorsToken: string, why: string): Promise<ActedFor> {
    const { subject, token } = help.get(id)
    const asked = { customersToken: token, operatorsToken, reason: why }
    return { subject, reason: why, conversations: await delegation.readConversations(asked) }
  }

  for (const [path, file, type] of assets) {
    const body = type === 'css' ? styleSheet(file) : readFileSync(file)
    router.get(path, 'public', securityHeaders, (_req, res) => {
      res.set('Cache-Control', 'no-cache').type(type).send(body)
    })
  }
  return pages
}

const refusals = {
  wrong: { status: 400, words: 'Name or password is wrong.' },
  not_an_operator: {
    status: 403,
    words: 'This account is no operator’s: its record names none of the scopes of this console.',
  },
  throttled: { status: 429, words: 'Too many have failed: try again later.' },
  unavailable: { status: 503, words: 'Nobody can sign in now: try again.' },
} as const

const securityHeaders = pageHeaders({ forms: true })

const assets = [
  ['/assets/style.css', new URL('../../src/web/style.css', import.meta.url), 'css'],
  ['/assets/icon.svg', new URL('../../src/web/icon.svg', import.meta.url), 'svg'],
  ['/assets/main.js', new URL('../../dist/web/main.js', import.meta.url), 'js'],
] as const

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  throw error
}

function badForm(error: z.ZodError): Problem {
  const issue = error.issues[0]
  return new Problem('invalid_request', `${String(issue?.path[0] ?? 'the form')}: ${issue?.message ?? 'is wrong'}`)
}

/** Whatever goes wrong is a page as well; a fault is told of, and not described. */
function withPageErrors(
  handler: RequestHandler,
  cookie: PageCookie,
  onFault: (error: unknown) => void,
): RequestHandler {
  const answer = (error: unknown, req: Request, res: Response): void => {
    if (res.headersSent) {
      res.destroy()
      return
    }
    if (error instanceof NotSignedIn) {
      if (error.hasEnded) cookie.clear(res)
      const problem = error.hasEnded ? 'Your sign-in has ended. Nothing was done.' : undefined
      const status = req.method === 'GET' && req.path === '/' ? 200 : 403
      res
        .status(status)
        .type('html')
        .send(signInPage(problem === undefined ? {} : { problem }))
      return
    }
    const known = error instanceof Problem ? error : formProblem(error)
    if (known === undefined) onFault(error)
    const notice = { tone: 'bad', text: known?.message ?? 'The request could not be answered.' } as const
    res
      .status(known?.status ?? 500)
      .type('html')
      .send(layout({ title: 'Support console', notice, content: undefined }))
  }
  return (req, res, next) => {
    const go = (error?: unknown): void => {
      if (error === undefined) next()
      else answer(error, req, res)
    }
    try {
      const done: unknown = handler(req, res, go)
      if (done instanceof Promise) done.catch((error: unknown) => answer(error, req, res))
    } catch (error) {
      answer(error, req, res)
    }
  }
}

/** What the reader of forms has against a request. */
function formProblem(error: unknown): Problem | undefined {
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  if (status === 413) return new Problem('too_large', 'The form is too large.')
  if (status === 415) return new Problem('unsupported_media_type', 'The form is of another kind.')
  return status === 400 ? new Problem('invalid_request', 'The form cannot be read.') : undefined
}
