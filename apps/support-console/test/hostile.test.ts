import { IssuerError } from '@countersign/issuer'
import { testIssuer } from '@countersign-apps/kit/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { html } from '../src/html.ts'
import { ownOrigins } from '../src/own-origins.ts'
import { pageCookie } from '../src/pages/cookie.ts'
import { consumer } from '../src/scopes.ts'
import { type StandIn, session, standIn, Visitor } from './fixtures.ts'

const issuer = await testIssuer(consumer)
let stand: StandIn
let now: number
beforeEach(async () => {
  now = Math.floor(Date.now() / 1000)
  stand = standIn(issuer, { now: () => now, limits: { idleSeconds: 600, absoluteSeconds: 3_600, sessions: 3 } })
  await stand.start()
})
afterEach(async () => {
  await stand.close()
  expect(stand.faults).toEqual([])
})

async function signedIn(): Promise<Visitor> {
  const visitor = new Visitor(stand.served().origin)
  expect((await visitor.signIn()).status).toBe(303)
  return visitor
}
const revoke = { session: 'session-ada-1', reason: 'ticket 4711', q: 'ada' }
const isOpen = () => stand.sessions.get('session-ada-1')?.endedAt === null
const count = (what: string) => stand.calls.filter((call) => Array.isArray(call) && call[0] === what).length

describe('what is typed or stored', () => {
  const words = [
    `<img src=x onerror=alert(1)>`,
    `"><script>alert(1)</script>`,
    `' autofocus onfocus='alert(1)`,
    '&lt;b&gt;',
  ]

  it.each(words)('%s is shown as text wherever it comes up', async (word) => {
    stand.sessions.set('s-hostile-1', session('s-hostile-1', { userId: word, scope: word, audience: word }))
    const visitor = new Visitor(stand.served().origin)
    await visitor.signIn(word)
    const token = issuer.token({ sub: word, scope: 'conversations:read' })
    await stand.served().call('POST', '/help', { token, body: { note: word } })
    const revoked = await visitor.post('/page/revoke', { ...revoke, q: word, reason: word })
    const where = revoked.headers.get('location') ?? ''
    const { text } = await visitor.get(where)
    expect(text.split(html`${word}`.text).length).toBeGreaterThan(6)
    expect(text).not.toContain(word)
    expect(text).not.toMatch(/<script(?! type="module" src="\/assets\/main\.js")|<img(?! src="\/assets)/)
  })

  it('is escaped in every place of a template', () => {
    expect(html`<p title="${`"'<>&`}">${[html`<b>${'<'}</b>`, '&', 1, undefined, false]}</p>`.text).toBe(
      '<p title="&quot;&#39;&lt;&gt;&amp;"><b>&lt;</b>&amp;1</p>',
    )
  })
})

describe('a form', () => {
  const foreign: [why: string, headers: Record<string, string>][] = [
    ['from another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from another port of the same host', { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' }],
    ['from a sandbox or behind a redirect', { origin: 'null' }],
    ['from who says nothing of it', { origin: '' }],
    ['whose site is another, whatever the origin says', { 'sec-fetch-site': 'cross-site' }],
    ['of the same site only', { 'sec-fetch-site': 'same-site' }],
  ]
  it.each(foreign)('%s is refused, with the operator’s own cookie', async (_why, headers) => {
    const olga = await signedIn()
    for (const path of ['/page/revoke', '/page/help/x', '/sign-out']) {
      expect((await olga.post(path, revoke, headers)).status).toBe(403)
    }
    const other = new Visitor(stand.served().origin)
    expect((await other.post('/sign-in', { name: 'olga', password: 'x' }, headers)).status).toBe(403)
    expect([isOpen(), other.cookie, count('signIn'), count('signOut')]).toEqual([true, '', 1, 0])
  })

  it.each([
    ['JSON', { 'content-type': 'application/json' }, 415],
    ['plain text', { 'content-type': 'text/plain' }, 415],
    ['several parts', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
    ['compressed', { 'content-encoding': 'gzip' }, 415],
  ])('as %s is refused', async (_what, headers, status) => {
    const olga = await signedIn()
    expect((await olga.post('/page/revoke', revoke, headers)).status).toBe(status)
    expect(isOpen()).toBe(true)
  })

  it('that is too large, or has too many fields, is refused', async () => {
    const olga = await signedIn()
    expect((await olga.post('/page/revoke', { ...revoke, q: 'x'.repeat(9_000) })).status).toBe(413)
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, 'x']))
    expect((await olga.post('/page/revoke', { ...many, ...revoke })).status).toBe(413)
    expect(isOpen()).toBe(true)
  })

  const wrong: [what: string, form: Record<string, string>, status: number][] = [
    ['no reason', { session: 'session-ada-1' }, 400],
    ['blanks for a reason', { ...revoke, reason: ' \t ' }, 400],
    ['a reason that is too long', { ...revoke, reason: 'x'.repeat(201) }, 400],
    ['a reason of two lines', { ...revoke, reason: 'one\r\nactor: system' }, 400],
    ['hidden characters in a reason', { ...revoke, reason: 'a\u202eb' }, 400],
    ['no session', { reason: 'x' }, 400],
    ['an unknown session', { ...revoke, session: 'session-nobody' }, 404],
    ['a session that is none', { ...revoke, session: `x' OR 1=1 --` }, 404],
    ['a path for a session', { ...revoke, session: '../../etc/passwd' }, 404],
  ]
  it.each(wrong)('with %s ends nothing', async (_what, form, status) => {
    const olga = await signedIn()
    const answer = await olga.post('/page/revoke', form)
    expect(answer.status).toBe(status)
    expect(answer.text).toContain('role="alert"')
    expect([isOpen(), count('revoke')]).toEqual([true, 0])
  })

  it('with a field twice ends nothing', async () => {
    const olga = await signedIn()
    const response = await fetch(`${stand.served().origin}/page/revoke`, {
      method: 'POST',
      headers: {
        cookie: olga.cookie,
        origin: stand.served().origin,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'session=session-ada-1&session=other&reason=x',
    })
    expect([response.status, isOpen()]).toEqual([400, true])
  })

  it('that is sent a second time ends nothing more', async () => {
    const olga = await signedIn()
    expect((await olga.post('/page/revoke', revoke)).status).toBe(303)
    expect((await olga.post('/page/revoke', revoke)).status).toBe(409)
  })
})

describe('the cookie', () => {
  it('is HttpOnly, strict, a new one at each sign-in, and ends the one before', async () => {
    const olga = new Visitor(stand.served().origin)
    const first = await olga.signIn()
    const set = first.headers.get('set-cookie') ?? ''
    expect(set).toMatch(/^support-console=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
    const old = olga.cookie
    await olga.signIn()
    expect(olga.cookie).not.toBe(old)
    olga.cookie = old
    expect((await olga.get('/')).text).toContain('<h2>Sign in</h2>')
  })

  it('that somebody planted before the sign-in is not taken', async () => {
    const olga = new Visitor(stand.served().origin)
    const planted = `support-console=${'a'.repeat(43)}`
    olga.cookie = planted
    await olga.signIn()
    expect(olga.cookie).not.toBe(planted)
    const thief = new Visitor(stand.served().origin)
    thief.cookie = planted
    expect((await thief.get('/')).text).toContain('<h2>Sign in</h2>')
  })

  it('that comes twice, or is another’s guess, counts for nobody', async () => {
    const olga = await signedIn()
    for (const cookie of [
      `${olga.cookie}; ${olga.cookie}`,
      `${olga.cookie}x`,
      olga.cookie.slice(0, -1),
      olga.cookie.replace('=', '=%20'),
      olga.cookie.toUpperCase(),
    ]) {
      const other = new Visitor(stand.served().origin)
      other.cookie = cookie
      expect((await other.post('/page/revoke', revoke)).status, cookie).toBe(403)
    }
    expect(isOpen()).toBe(true)
  })

  it('is no token, and a token is no cookie', async () => {
    const olga = await signedIn()
    const { call } = stand.served()
    const { cookie } = olga
    expect((await call('GET', '/sessions?user=ada', { headers: { cookie } })).status).toBe(401)
    const value = cookie.split('=')[1] ?? ''
    expect((await call('GET', '/sessions?user=ada', { token: value })).status).toBe(401)
    const bearer = await fetch(`${stand.served().origin}/page/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${issuer.token()}`, origin: stand.served().origin },
      body: new URLSearchParams(revoke),
    })
    expect([bearer.status, isOpen()]).toEqual([403, true])
  })

  it('over https is of this host alone', () => {
    const { isSecure, origins } = ownOrigins('https://support.example.com', 'http://10.0.0.7:4613')
    expect([isSecure, [...origins]]).toEqual([true, ['https://support.example.com']])
    const set: string[] = []
    pageCookie(isSecure).set({ append: (_: string, value: string) => set.push(value) } as never, 'x')
    expect(set).toEqual(['__Host-support-console=x; Path=/; HttpOnly; SameSite=Strict; Secure'])
    expect([...ownOrigins('http://127.0.0.1:4613', 'http://127.0.0.1:4613').origins]).toContain('http://localhost:4613')
  })
})

describe('a sign-in', () => {
  it('is over after idling, and after its whole time', async () => {
    const olga = await signedIn()
    now += 599
    expect((await olga.get('/')).text).toContain('Signed in as')
    now += 600
    const answer = await olga.post('/page/revoke', revoke)
    expect([answer.status, olga.cookie, isOpen()]).toEqual([403, '', true])
    // At the issuer as well: nothing stays open that nobody can use.
    expect(count('signOut')).toBe(1)
    expect(answer.text).toContain('Your sign-in has ended. Nothing was done.')

    const again = await signedIn()
    for (let i = 0; i < 6; i++) {
      now += 550
      expect((await again.get('/')).text).toContain('Signed in as')
    }
    now += 550
    expect((await again.get('/')).text).toContain('Your sign-in has ended.')
  })

  it('renews its token once for all that is asked at the same time', async () => {
    const olga = await signedIn()
    now += 280
    const answers = await Promise.all([olga.get('/'), olga.get('/?q=ada'), olga.get('/')])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(count('refresh')).toBe(1)
  })

  it('makes room for others: the one that was not used for longest ends', async () => {
    const visitors: Visitor[] = []
    for (let i = 0; i < 4; i++) {
      now += 1
      visitors.push(await signedIn())
    }
    const shown = await Promise.all(visitors.map(async (one) => (await one.get('/')).text.includes('Signed in as')))
    expect(shown).toEqual([false, true, true, true])
    expect(count('signOut')).toBe(1)
  })

  it.each([
    ['wrong', new IssuerError('invalid_grant', 'no'), 400, 'Name or password is wrong.'],
    ['tried too often', new IssuerError('rate_limited', 'no', { retryAfterSeconds: 77 }), 429, 'Too many have failed'],
    ['made while the store is away', new IssuerError('temporarily_unavailable', 'no'), 503, 'Nobody can sign in now'],
  ])('that is %s says so, and keeps the name', async (_what, error, status, words) => {
    stand.refusal = error
    const olga = new Visitor(stand.served().origin)
    const answer = await olga.signIn('olga <b>')
    expect([answer.status, olga.cookie]).toEqual([status, ''])
    expect(answer.text).toContain(words)
    expect(answer.text).toContain('value="olga &lt;b&gt;"')
    expect(answer.headers.get('retry-after')).toBe(status === 429 ? '77' : null)
    expect(answer.text).not.toContain('correct horse')
  })

  it('is counted under the browser’s own address, whatever it says', async () => {
    const olga = new Visitor(stand.served().origin)
    await olga.post('/sign-in', { name: 'olga', password: 'x' }, { 'x-forwarded-for': '203.0.113.9' })
    expect(stand.calls.at(-1)).toMatchObject(['signIn', { address: expect.stringMatching(/127\.0\.0\.1$/) }])
  })

  it('without name or password is none', async () => {
    const olga = new Visitor(stand.served().origin)
    for (const form of [{ name: 'olga' }, { password: 'x' }, { name: 'x'.repeat(255), password: 'x' }]) {
      expect((await olga.post('/sign-in', form as Record<string, string>)).status).toBe(400)
    }
    expect(count('signIn')).toBe(0)
  })

  it('whose token cannot be renewed is over; while the store is away it goes on until the token ends', async () => {
    const olga = await signedIn()
    now += 280
    stand.refusal = new IssuerError('temporarily_unavailable', 'away')
    expect((await olga.get('/')).text).toContain('Signed in as')
    stand.refusal = new IssuerError('invalid_grant', 'ended')
    expect((await olga.get('/')).text).toContain('Your sign-in has ended.')
    expect(olga.cookie).toBe('')
  })

  it('that is ended takes its cookie along, and says nothing to who has none', async () => {
    const olga = await signedIn()
    await olga.post('/sign-out', {})
    expect([olga.cookie, count('signOut')]).toEqual(['', 1])
    const nobody = new Visitor(stand.served().origin)
    expect((await nobody.get('/')).text).not.toContain('has ended')
  })
})

describe('every page', () => {
  it('says what a browser may do with it', async () => {
    const olga = await signedIn()
    for (const path of ['/', '/assets/main.js', '/assets/style.css']) {
      const { headers } = await olga.get(path)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).not.toMatch(/unsafe|\*|http/)
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-powered-by')).toBeNull()
    }
    const { text, headers } = await olga.get('/?q=ada')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(text).not.toMatch(/<style|style=|javascript:|<script>/)
  })

  it('answers what cannot be answered without a word of why', async () => {
    const olga = await signedIn()
    stand.sessions.get = () => {
      throw new Error('secret path /var/lib')
    }
    const answer = await olga.post('/page/revoke', revoke)
    expect(answer.status).toBe(500)
    expect(answer.text).toContain('The request could not be answered.')
    expect(answer.text).not.toContain('secret')
    expect(stand.faults.splice(0)).toHaveLength(1)
  })
})
