import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressKey } from '../src/address.ts'
import { parseForm } from '../src/http/form.ts'
import { normaliseIdentifier } from '../src/identifier.ts'
import { allPages } from '../src/page.ts'
import { newId, randomText } from '../src/random.ts'
import { createTurns } from '../src/turns.ts'

describe('the key of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['192.0.2.01', undefined],
    ['192.0.2.1:80', undefined],
    ['[::1]', undefined],
    ['', undefined],
    ['unknown', undefined],
  ])('%s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })

  it('is the same for all of a /64 and for every spelling', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (one, other) => {
        const key = addressKey(one)
        expect(key).toBeDefined()
        const full = new URL(`http://[${one}]`).hostname.slice(1, -1)
        expect(addressKey(full)).toBe(key)
        if (key?.endsWith('::/64') !== true) return
        const tail = addressKey(other)
        const prefix = key.slice(0, -'::/64'.length)
        expect(addressKey(`${prefix}:1:2:3:4`)).toBe(prefix === '0:0:0:0' ? addressKey('::1:2:3:4') : key)
        expect(tail).toBeDefined()
      }),
    )
  })
})

describe('a form', () => {
  it('is read as URLSearchParams reads it, when it is well-formed and repeats nothing', () => {
    const pairs = fc.uniqueArray(
      fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme', minLength: 1 })),
      {
        selector: ([name]) => name,
        maxLength: 20,
      },
    )
    fc.assert(
      fc.property(pairs, (wanted) => {
        const form = parseForm(new URLSearchParams(wanted).toString())
        expect([...form]).toEqual(wanted)
      }),
    )
  })

  it('never throws anything but a refusal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          expect(parseForm(text)).toBeInstanceOf(Map)
        } catch (error) {
          expect(error).toMatchObject({ name: 'IssuerError', code: 'invalid_request' })
        }
      }),
    )
  })
})

describe('an identifier', () => {
  it('has one form: normalising twice changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const once = normaliseIdentifier(text)
        if (once !== undefined) expect(normaliseIdentifier(once)).toBe(once)
      }),
    )
  })
})

describe('random text', () => {
  it('has 128 bits an id, and never comes twice', () => {
    const ids = Array.from({ length: 10_000 }, newId)
    expect(new Set(ids).size).toBe(10_000)
    for (const id of ids.slice(0, 100)) expect(id).toMatch(/^[A-Za-z0-9_-]{21}[AQgw]$/)
    expect(randomText(32)).toHaveLength(43)
  })
})

describe('all pages', () => {
  it.each([0, 1, 999, 1000, 1001, 2000])('are %i entries, each once and in order', async (count) => {
    const entries = Array.from({ length: count }, (_, index) => `u${String(index).padStart(5, '0')}`)
    const list = async ({ after = '', limit = 100 }) => entries.filter((name) => name > after).slice(0, limit)
    expect(await allPages(list, (name) => name)).toEqual(entries)
  })
})

describe('turns', () => {
  it('are held by no more than the width, in order, and refused past the line', async () => {
    const turns = createTurns()
    const order: number[] = []
    let held = 0
    const one = async (n: number): Promise<boolean> => {
      const done = await turns.take('k', 2, 3)
      if (done === undefined) return false
      held += 1
      expect(held).toBeLessThanOrEqual(2)
      order.push(n)
      await Promise.resolve()
      held -= 1
      done()
      return true
    }
    const outcomes = await Promise.all([0, 1, 2, 3, 4, 5, 6].map(one))
    expect(outcomes).toEqual([true, true, true, true, true, false, false])
    expect(order).toEqual([0, 1, 2, 3, 4])
    expect(await one(7)).toBe(true)
  })
})
