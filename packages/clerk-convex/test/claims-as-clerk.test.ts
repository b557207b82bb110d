import { signedInAuthObject } from '@clerk/backend/internal'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isAuthError, parseClerkClaims } from '../src/index.ts'

const base = { iss: 'https://clerk.example.com', sub: 'user_1', sid: 'sess_1' }

const id = fc.constantFrom('org_1', 'org_2')
const role = fc.constantFrom('admin', 'org:admin', 'member')
const feature = fc.constantFrom('o:runs', 'u:runs', 'ou:billing', 'uo:x', 'o:', 'foo:runs', ' o:runs', 'o:a:b', 'runs')
const fea = fc.option(
  fc.array(feature, { maxLength: 4 }).map((list) => list.join(',')),
  { nil: undefined },
)
const per = fc.option(fc.constantFrom('read', 'read,stop', 'read, stop ', '', ','), { nil: undefined })
const mask = fc.constantFrom('0', '1', '2', '3', '007', '', 'x', '-1', '1e3', '9007199254740993')
const fpm = fc.option(
  fc.array(mask, { maxLength: 4 }).map((list) => list.join(',')),
  { nil: undefined },
)
const o = fc.option(
  fc.record({ id, slg: fc.constantFrom('acme', undefined), rol: fc.option(role, { nil: undefined }), per, fpm }),
  { nil: undefined },
)
const claims = fc.record({
  v: fc.constantFrom(1, 2, 2, '2', undefined),
  o,
  fea,
  org_id: fc.option(id, { nil: undefined }),
  org_role: fc.option(fc.constantFrom('org:admin', 'org:member'), { nil: undefined }),
  org_permissions: fc.option(fc.subarray(['org:runs:read', 'org:runs:stop']), { nil: undefined }),
})

/** What the handler of a request would get of `@clerk/backend`; undefined where that throws. */
function asClerkReads(payload: object) {
  try {
    const read = signedInAuthObject({} as never, 'token', { ...base, ...payload } as never)
    return { id: read.orgId ?? undefined, role: read.orgRole, permissions: read.orgPermissions ?? [] }
  } catch {
    return undefined
  }
}

it('sees nobody in an organisation, a role or a permission that Clerk does not see', () => {
  let compared = 0
  fc.assert(
    fc.property(claims, (payload) => {
      let read: ReturnType<typeof parseClerkClaims>
      try {
        read = parseClerkClaims({ ...base, ...payload })
      } catch (error) {
        expect(isAuthError(error)).toBe(true)
        return
      }
      // Convex's identities are read too, which may have lost the number of their version.
      if (payload.v !== 2 && payload.o !== undefined) return
      const clerk = asClerkReads(payload)
      const { organization } = read
      if (clerk === undefined) {
        expect(organization?.permissions ?? []).toEqual([])
        return
      }
      compared++
      expect(organization?.id).toBe(clerk.id)
      if (organization === undefined) return
      if (clerk.role !== undefined) expect(organization.role).toBe(clerk.role.replace(/^org:org:/, 'org:'))
      expect(clerk.permissions).toEqual(expect.arrayContaining([...organization.permissions]))
    }),
    { numRuns: 2_000 },
  )
  expect(compared).toBeGreaterThan(300)
})
