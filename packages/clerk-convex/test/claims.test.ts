import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthError, authErrorCodes, authErrorRemedies, isAuthError, parseClerkClaims } from '../src/index.ts'
import { readPermissions } from '../src/permissions.ts'

const base = { iss: 'https://clerk.example.com', sub: 'user_1', sid: 'sess_1', azp: 'https://app.example.com' }
const organization = {
  id: 'org_1',
  slug: 'acme',
  role: 'org:admin',
  permissions: ['org:runs:read', 'org:runs:stop', 'org:billing:read'],
}

describe('one organisation in every spelling', () => {
  const o = { id: 'org_1', slg: 'acme', rol: 'admin', per: 'read,stop', fpm: '3,1' }
  const fea = 'o:runs,u:profile,o:billing'
  const spellings: [name: string, claims: object][] = [
    ['version 2', { ...base, v: 2, o, fea }],
    ['version 2 as a custom JWT in Convex', { ...base, v: 2, fea, ...flattened('o', o) }],
    [
      'version 1',
      { ...base, org_id: 'org_1', org_slug: 'acme', org_role: 'org:admin', org_permissions: organization.permissions },
    ],
    [
      'an identity of Convex',
      {
        tokenIdentifier: 'https://clerk.example.com|user_1',
        issuer: base.iss,
        subject: base.sub,
        sid: 'sess_1',
        azp: base.azp,
        o,
        fea,
      },
    ],
  ]
  it.each(spellings)('%s', (_name, claims) => {
    expect(parseClerkClaims(claims)).toEqual({
      subject: 'user_1',
      issuer: 'https://clerk.example.com',
      session: 'sess_1',
      authorizedParty: 'https://app.example.com',
      status: 'active',
      organization,
    })
  })

  it('reads all spellings to the same, whatever the values are', () => {
    const name = fc.stringMatching(/^[a-z0-9_]{1,12}$/)
    const grants = fc.uniqueArray(fc.tuple(name, name), { maxLength: 12, selector: (pair) => pair.join(':') })
    fc.assert(
      fc.property(name, name, name, grants, (id, slug, role, pairs) => {
        const features = [...new Set(pairs.map(([feature]) => feature))]
        const names = [...new Set(pairs.map(([, permission]) => permission))]
        const masks = features.map((feature) =>
          names.reduce(
            (sum, one, bit) => (pairs.some(([f, p]) => f === feature && p === one) ? sum + 2n ** BigInt(bit) : sum),
            0n,
          ),
        )
        const two = { id, slg: slug, rol: role, per: names.join(','), fpm: masks.join(',') }
        const fea = features.map((feature) => `o:${feature}`).join(',')
        const permissions = pairs.map((pair) => `org:${pair.join(':')}`)
        const one = { org_id: id, org_slug: slug, org_role: `org:${role}`, org_permissions: permissions }
        const sorted = (claims: object) => {
          const read = parseClerkClaims({ ...base, ...claims }).organization
          return { ...read, permissions: [...(read?.permissions ?? [])].sort() }
        }
        expect(sorted({ o: two, fea })).toEqual(sorted(one))
        expect(sorted({ ...flattened('o', two), fea })).toEqual(sorted(one))
      }),
    )
  })
})

describe('what else it reads', () => {
  it('no permission of version 1 where version 2 counts', () => {
    const o = { id: 'org_1', per: 'read', fpm: '1' }
    const claims = { ...base, v: 2, o, fea: 'o:runs', org_id: 'org_1', org_permissions: ['org:runs:stop'] }
    expect(parseClerkClaims(claims).organization?.permissions).toEqual(['org:runs:read'])
    expect(parseClerkClaims({ ...claims, v: undefined }).organization?.permissions).toEqual(['org:runs:stop'])
  })

  it('each mask for the feature that it stands for, also beside features that are none', () => {
    const read = (features: string) => readPermissions({ features, permissions: 'read,stop', masks: '1,2' })
    expect(read('o:runs,ou:billing')).toEqual(['org:runs:read', 'org:billing:stop'])
    expect(read('o:,o:billing')).toEqual(['org:billing:stop'])
    expect(read('foo:runs,o:billing')).toEqual(['org:billing:read'])
    expect(read('runs,o:billing')).toEqual([])
  })

  it('the second factor, who impersonates, and a pending session', () => {
    expect(parseClerkClaims({ ...base, fva: [3, -1], act: { sub: 'user_support' }, sts: 'pending' })).toMatchObject({
      factorAges: [3, -1],
      actor: 'user_support',
      status: 'pending',
    })
    expect(parseClerkClaims({ ...base, 'act.sub': 'user_support' }).actor).toBe('user_support')
  })

  it('a status that it does not know as pending', () => {
    expect(parseClerkClaims({ ...base, sts: 'thawing' }).status).toBe('pending')
  })

  it('into something frozen', () => {
    const claims = parseClerkClaims({ ...base, o: { id: 'org_1' }, fva: [1, 2] })
    expect(
      [claims, claims.organization, claims.organization?.permissions, claims.factorAges].every(Object.isFrozen),
    ).toBe(true)
  })

  it('no mask of thousands of digits, nor more than a thousand permissions', () => {
    const permissions = Array.from({ length: 400 }, (_, at) => `p${at}`).join(',')
    const features = Array.from({ length: 20 }, (_, at) => `o:f${at}`).join(',')
    const masks = Array.from({ length: 20 }, () => '9'.repeat(100)).join(',')
    expect(readPermissions({ features, permissions, masks })).toHaveLength(1_000)
    expect(readPermissions({ features: 'o:a', permissions: 'p', masks: '9'.repeat(101) })).toEqual([])
  })
})

describe('refused as bad_claims', () => {
  const bad: [why: string, claims: unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['a string', 'user_1'],
    ['no subject', { ...base, sub: undefined }],
    ['no issuer', { ...base, iss: undefined }],
    ['an inherited subject', Object.create(base)],
    ['a subject that is a number', { ...base, sub: 1 }],
    ['an empty subject', { ...base, sub: '' }],
    ['a subject with a line break', { ...base, sub: 'user_1\nuser_2' }],
    ['a subject of 513 characters', { ...base, sub: 'u'.repeat(513) }],
    ['two subjects', { ...base, subject: 'user_2' }],
    ['two issuers', { ...base, issuer: 'https://other.example.com' }],
    ['two organisations', { ...base, o: { id: 'org_1' }, org_id: 'org_2' }],
    ['two organisations, one flattened', { ...base, o: { id: 'org_1' }, 'o.id': 'org_2' }],
    ['two roles', { ...base, o: { id: 'org_1', rol: 'admin' }, org_role: 'org:member' }],
    ['an organisation without an id', { ...base, o: {} }],
    ['a role without an organisation', { ...base, org_role: 'org:admin' }],
    ['an organisation that is a string', { ...base, o: 'org_1' }],
    ['an organisation that is a list', { ...base, o: ['org_1'] }],
    ['permissions that are no list', { ...base, org_id: 'org_1', org_permissions: 'org:runs:read' }],
    ['permissions that are no names', { ...base, org_id: 'org_1', org_permissions: [1] }],
    ['features that are a list', { ...base, o: { id: 'org_1', per: 'read', fpm: '1' }, fea: ['o:runs'] }],
    ['a status that is a number', { ...base, sts: 1 }],
    ['one factor', { ...base, fva: [1] }],
    ['a factor that is a string', { ...base, fva: ['1', 2] }],
    ['a factor of -2 minutes', { ...base, fva: [-2, 1] }],
    ['an actor that is a string', { ...base, act: 'user_2' }],
    ['an actor without a name', { ...base, act: {} }],
    ['an actor without a name, flattened', { ...base, 'act.iss': 'https://clerk.example.com' }],
    ['half of a character', { ...base, sub: 'user_\ud800' }],
    ['the token of a machine', { ...base, sub: 'mch_1' }],
    ['an organisation in version 1 that version 2 does not have', { ...base, v: 2, org_id: 'org_1' }],
    ['a role in version 1 that version 2 does not have', { ...base, v: 2, o: { id: 'org_1' }, org_role: 'org:admin' }],
  ]
  it.each(bad)('%s', (_why, claims) => {
    expect(() => parseClerkClaims(claims)).toThrow(expect.objectContaining({ name: 'AuthError', code: 'bad_claims' }))
  })

  it('anything else: never another kind of error', () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.constantFrom('sub', 'iss', 'o', 'id', 'act', 'fva', 'sts', 'o.id', 'org_id') }),
        (raw) => {
          try {
            parseClerkClaims({ ...base, ...raw })
          } catch (error) {
            expect(isAuthError(error)).toBe(true)
          }
        },
      ),
    )
  })
})

describe('AuthError', () => {
  it('has a remedy for each code, and is known across copies', () => {
    for (const code of authErrorCodes) expect(new AuthError(code, 'x').remedy).toBe(authErrorRemedies[code])
    const copy = Object.assign(new Error('x'), { name: 'AuthError', code: 'bad_claims' })
    expect([isAuthError(copy), isAuthError(new Error('x')), isAuthError({ ...copy, code: 'other' })]).toEqual([
      true,
      false,
      false,
    ])
  })
})

function flattened(prefix: string, members: object): object {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [`${prefix}.${name}`, value]))
}
