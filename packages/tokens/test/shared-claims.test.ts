import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shareClaims } from '../src/internal/shared-claims.ts'
import { parseStrictObject } from '../src/internal/strict-json.ts'

describe('shareClaims', () => {
  it('changes no value, whatever it is', () => {
    const value = fc.oneof(fc.string({ maxLength: 300 }), fc.integer(), fc.array(fc.string()), fc.constant(null))
    const name = fc.constantFrom('iss', 'aud', 'client_id', 'azp', 'scope', 'org_id', 'sub', 'jti', '__proto__')
    fc.assert(
      fc.property(fc.dictionary(name, value), (claims) => {
        const text = JSON.stringify(claims)
        const shared = JSON.parse(text)
        shareClaims(shared)
        expect(JSON.stringify(shared)).toBe(text)
      }),
    )
  })

  it('goes on past as many values as it remembers', () => {
    for (let index = 0; index < 3000; index += 1) {
      const claims = { iss: 'https://auth.example.com', org_id: `org_${index}` }
      shareClaims(claims)
      expect(claims).toEqual({ iss: 'https://auth.example.com', org_id: `org_${index}` })
    }
  })

  it('happens before the object is frozen', () => {
    const claims = parseStrictObject('{"iss":"https://auth.example.com","act":{"sub":"robot"}}', shareClaims)
    expect(claims).toEqual({ iss: 'https://auth.example.com', act: { sub: 'robot' } })
    expect(Object.isFrozen(claims)).toBe(true)
  })
})
