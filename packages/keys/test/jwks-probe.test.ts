import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicJwksProbe } from '../src/index.ts'
import { day, openRing } from './ring-fixture.ts'

/** What a public URL answers, and how often it was asked. */
let answer: (response: ServerResponse) => void
let asked: number
let url: string
let close: () => Promise<void>

beforeEach(async () => {
  asked = 0
  answer = (response) => response.end('{"keys":[]}')
  const server = createServer((_request, response) => {
    asked += 1
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterEach(() => close())

const shows = (...kids: string[]) => {
  answer = (response) => response.end(JSON.stringify({ keys: kids.map((kid) => ({ kid })) }))
}

describe('a probe of public JWKS URLs', () => {
  it('misses nothing when the key is there', async () => {
    shows('other', 'wanted')
    expect(await publicJwksProbe([url]).missing('wanted')).toEqual([])
    expect(await publicJwksProbe([]).missing('wanted')).toEqual([])
  })

  const faults: [what: string, answer: (response: ServerResponse) => void, says: string][] = [
    ['an old set', (response) => response.end('{"keys":[{"kid":"other"}]}'), 'does not have the key'],
    ['no set', (response) => response.end('[]'), 'does not have the key'],
    ['keys that are none', (response) => response.end('{"keys":[null,"wanted",{"kid":["wanted"]}]}'), 'does not have'],
    ['no JSON', (response) => response.end('<html>'), 'cannot be read'],
    ['a failure', (response) => response.writeHead(502).end(), 'answers 502'],
    ['a redirect', (response) => response.writeHead(302, { location: '/jwks.json?2' }).end(), 'answers 302'],
    ['a cut connection', (response) => void response.destroy(), 'cannot be read'],
    ['silence', () => {}, 'cannot be read'],
    ['a set without end', endless, 'answers with more than 131072 bytes'],
  ]
  function endless(response: ServerResponse): void {
    const more = (): void => {
      while (!response.destroyed && response.write(' '.repeat(16_384)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  it.each(faults)('misses it at a URL with %s', async (what, how, says) => {
    answer = how
    const timeoutMs = what === 'silence' ? 300 : 10_000
    const [missing] = await publicJwksProbe([`${url}?secret=1`], { timeoutMs }).missing('wanted')
    expect(missing).toContain(`${url} (${says}`)
    expect(asked).toBe(1)
  })

  it.each([
    ['http elsewhere', ['http://auth.example.com/jwks.json']],
    ['credentials', ['https://a:b@auth.example.com/jwks.json']],
    ['a path', ['/jwks.json']],
    ['17 URLs', Array.from({ length: 17 }, () => 'https://auth.example.com/jwks.json')],
  ])('refuses %s', (_what, urls) => {
    expect(() => publicJwksProbe(urls)).toThrow(expect.objectContaining({ code: 'policy_invalid' }))
  })

  it('refuses time-outs without bound', () => {
    expect(() => publicJwksProbe([url], { timeoutMs: 60_000 })).toThrow('10000')
  })
})

describe('a ring with a probe', () => {
  it('waits, past the age if need be, until the URL shows the key', async () => {
    const { ring, clock, events } = await openRing({ confirmations: publicJwksProbe([url]) })
    const [first, standby] = ring.status().keys
    const waiting = `${url} (does not have the key)`
    await ring.confirm()
    expect(ring.status().keys[1]?.next?.waitingFor).toEqual(['propagation', waiting])
    await clock.jump(31 * day)
    expect(ring.status()).toMatchObject({ activeKid: first?.kid, age: 'over' })
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: [waiting] })
    await expect(ring.activate(standby?.kid ?? '')).rejects.toMatchObject({ code: 'too_early' })
    expect(events.map(({ type }) => type)).not.toContain('key.unconfirmed')

    shows(standby?.kid ?? '')
    await ring.confirm()
    expect(ring.status().keys[1]?.next?.waitingFor).toEqual([])
    await clock.advance(10)
    expect(ring.status().activeKid).toBe(standby?.kid)
    await ring.close()
  })

  it('waits for all that it is given, and goes ahead without those that are not required', async () => {
    const feed = { missing: async () => ['agent-api'] }
    const { ring, clock, events } = await openRing({ confirmations: [publicJwksProbe([url]), feed] })
    const standby = ring.status().keys[1]?.kid ?? ''
    await clock.jump(28 * day)
    expect(await ring.rotate()).toMatchObject({ waitingFor: [`${url} (does not have the key)`, 'agent-api'] })
    await clock.jump(day + 60)
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: [`${url} (does not have the key)`] })
    shows(standby)
    expect(await ring.rotate()).toMatchObject({ done: true, activeKid: standby })
    expect(events.filter(({ type }) => type === 'key.unconfirmed')).toMatchObject([{ missing: ['agent-api'] }])
    await ring.close()
  })
})
