import type { LookupAddress } from 'node:dns'
import { describe, expect, it } from 'vitest'
import type { AddressPolicy } from '../src/fetch-contract.ts'
import { type AddressKind, addressKind } from '../src/internal/addresses.ts'
import { checkedLookup } from '../src/node/fetch-document.ts'

const kinds: [address: string, kind: AddressKind | undefined][] = [
  ['93.184.215.14', 'public'],
  ['9.255.255.255', 'public'],
  ['11.0.0.0', 'public'],
  ['172.15.255.255', 'public'],
  ['172.32.0.0', 'public'],
  ['100.63.255.255', 'public'],
  ['100.128.0.0', 'public'],
  ['223.255.255.255', 'public'],
  ['10.255.255.255', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['169.254.169.254', 'private'],
  ['100.64.0.1', 'private'],
  ['198.19.0.1', 'private'],
  ['192.0.0.8', 'private'],
  ['0.1.2.3', 'private'],
  ['224.0.0.1', 'private'],
  ['255.255.255.255', 'private'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['::1', 'loopback'],
  ['[::1]', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::', 'private'],
  ['::ffff:192.168.1.1', 'private'],
  ['::ffff:8.8.8.8', 'public'],
  ['fe80::1%eth0', 'private'],
  ['fd00::1', 'private'],
  ['ff02::1', 'private'],
  ['64:ff9b::8.8.8.8', 'public'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['2002:a00:1::1', 'private'],
  ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', 'public'],
  ['::2', 'private'],
  ['100::1', 'private'],
  ['::1:0:0:1', 'private'],
  ['::1:0:1', 'private'],
  ['1::ffff:8.8.8.8', 'private'],
  ['::1:ffff:8.8.8.8', 'private'],
  ['::fffe:8.8.8.8', 'private'],
  ['1::8.8.8.8', 'private'],
  ['64:ff9b:1::8.8.8.8', 'private'],
  ['64:1::8.8.8.8', 'private'],
  ['65:ff9b::8.8.8.8', 'private'],
  ['2002:808:808::1', 'public'],
  ['2606:a00:1::', 'public'],
  ['3fff:ffff::1', 'public'],
  ['4000::1', 'private'],
  ['2001:2:3:4:5:6:7::', 'public'],
  ['2001:2:3:4:5:6:8.8.8.8', 'public'],
  ['2001:2:3:4:5:6:7:8::', undefined],
  ['2001::2:3:4:5:6:7:8', undefined],
  ['2001:2:3:4:5:6:7:8.8.8.8', undefined],
  ['12345::1', undefined],
  ['1g::1', undefined],
  ['::1x', undefined],
  ['::', 'private'],
  [':', undefined],
  ['[[::1]', undefined],
  ['::1]]', undefined],
  ['::ffff:8.8.8.8x', undefined],
  ['::ffff:8.8.8', undefined],
  ['::ffff:x8.8.8.8', undefined],
  ['', undefined],
  ['x10.0.0.1', undefined],
  ['10.0.0.1x', undefined],
  ['10.0.0.1.1', undefined],
  ['10.0.0.', undefined],
  ['0010.0.0.1', undefined],
  ['example.com', undefined],
  ['256.0.0.1', undefined],
  ['1.2.3', undefined],
  ['1::2::3', undefined],
  ['1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  ['g::1', undefined],
]

it.each(kinds)('%s is %s', (address, kind) => expect(addressKind(address)).toBe(kind))

describe('a checked look-up', () => {
  const resolve = (policy: AddressPolicy, addresses: string[], all = true): Promise<unknown> =>
    new Promise((done) => {
      const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      const look = checkedLookup(policy, (_name, _options, answer) => answer(null, found))
      look('auth.example.com', { all }, (error, address) => done(error?.name ?? address))
    })

  it.each([
    ['public', ['93.184.215.14'], true],
    ['public', ['93.184.215.14', '10.0.0.1'], false],
    ['public', ['127.0.0.1'], false],
    ['public', ['169.254.169.254'], false],
    ['public', ['::1'], false],
    ['loopback', ['127.0.0.1', '::1'], true],
    ['loopback', ['93.184.215.14'], false],
    ['loopback', ['127.0.0.1', '10.0.0.1'], false],
    ['any', ['10.0.0.1', '127.0.0.1'], true],
  ] as const)('for %s with %j', async (policy, addresses, allowed) => {
    expect(await resolve(policy, [...addresses])).toEqual(
      allowed ? addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })) : 'RefusedAddress',
    )
  })

  it('answers one address to who wants one', async () =>
    expect(await resolve('any', ['10.0.0.1', '10.0.0.2'], false)).toBe('10.0.0.1'))
  it('fails as the look-up fails', async () => {
    const fault = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    const look = checkedLookup('any', (_name, _options, answer) => answer(fault, undefined as never))
    expect(await new Promise((done) => look('nowhere.example', {}, (error) => done(error)))).toBe(fault)
    // Neither does it take addresses that came with a fault.
    const both = checkedLookup('any', (_name, _options, answer) => answer(fault, [{ address: '10.0.0.1', family: 4 }]))
    expect(await new Promise((done) => both('nowhere.example', {}, (error) => done(error)))).toBe(fault)
  })

  it.each([
    [[], /no address/],
    [['10.0.0.1'], /not allowed/],
  ])('says why %j is none', async (addresses, message) => {
    const found = addresses.map((address) => ({ address, family: 4 }))
    const look = checkedLookup('public', (_name, _options, answer) => answer(null, found))
    const answered = await new Promise((done) => look('auth.example.com', {}, (...args) => done(args)))
    expect(answered).toEqual([expect.objectContaining({ message: expect.stringMatching(message) }), '', 4])
  })

  it('fails where there is none', async () => expect(await resolve('any', [])).toBe('Error'))
})
